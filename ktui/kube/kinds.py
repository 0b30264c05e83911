"""The resource types ktui's own parts work with; each one's behaviour is declared in `engine.api.resources`."""

from __future__ import annotations

from ktui.kube.resource import Resource

BINDINGS = Resource("", "v1", "bindings", "Binding", True, "binding")
COMPONENT_STATUSES = Resource(
    "", "v1", "componentstatuses", "ComponentStatus", False, "componentstatus", ("cs",), verbs=("get", "list")
)
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", True, "configmap", ("cm",))
ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints", True, "endpoints", ("ep",))
EVENTS = Resource("", "v1", "events", "Event", True, "event", ("ev",))
EVENTS_OF_GROUP = Resource("events.k8s.io", "v1", "events", "Event", True, "event", ("ev",))
"""The same events, as the newer API spells them."""
LIMIT_RANGES = Resource("", "v1", "limitranges", "LimitRange", True, "limitrange", ("limits",))
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", False, "namespace", ("ns",))
NODES = Resource("", "v1", "nodes", "Node", False, "node", ("no",))
PERSISTENT_VOLUMES = Resource(
    "", "v1", "persistentvolumes", "PersistentVolume", False, "persistentvolume", ("pv",)
)
PERSISTENT_VOLUME_CLAIMS = Resource(
    "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True, "persistentvolumeclaim", ("pvc",)
)
PODS = Resource("", "v1", "pods", "Pod", True, "pod", ("po",), ("all",))
POD_TEMPLATES = Resource("", "v1", "podtemplates", "PodTemplate", True, "podtemplate")
REPLICATION_CONTROLLERS = Resource(
    "",
    "v1",
    "replicationcontrollers",
    "ReplicationController",
    True,
    "replicationcontroller",
    ("rc",),
    ("all",),
)
RESOURCE_QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota", True, "resourcequota", ("quota",))
SECRETS = Resource("", "v1", "secrets", "Secret", True, "secret")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount", True, "serviceaccount", ("sa",))
SERVICES = Resource("", "v1", "services", "Service", True, "service", ("svc",), ("all",))

CERTIFICATE_SIGNING_REQUESTS = Resource(
    "certificates.k8s.io",
    "v1",
    "certificatesigningrequests",
    "CertificateSigningRequest",
    False,
    "certificatesigningrequest",
    ("csr",),
)
CLUSTER_TRUST_BUNDLES = Resource(
    "certificates.k8s.io", "v1", "clustertrustbundles", "ClusterTrustBundle", False, "clustertrustbundle"
)
POD_CERTIFICATE_REQUESTS = Resource(
    "certificates.k8s.io",
    "v1",
    "podcertificaterequests",
    "PodCertificateRequest",
    True,
    "podcertificaterequest",
)

CONTROLLER_REVISIONS = Resource(
    "apps", "v1", "controllerrevisions", "ControllerRevision", True, "controllerrevision"
)
DAEMON_SETS = Resource("apps", "v1", "daemonsets", "DaemonSet", True, "daemonset", ("ds",), ("all",))
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", True, "deployment", ("deploy",), ("all",))
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet", True, "replicaset", ("rs",), ("all",))
STATEFUL_SETS = Resource("apps", "v1", "statefulsets", "StatefulSet", True, "statefulset", ("sts",), ("all",))

_ADMISSION = "admissionregistration.k8s.io"
MUTATING_WEBHOOK_CONFIGURATIONS = Resource(
    _ADMISSION,
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    False,
    "mutatingwebhookconfiguration",
    categories=("api-extensions",),
)
MUTATING_ADMISSION_POLICIES = Resource(
    _ADMISSION,
    "v1",
    "mutatingadmissionpolicies",
    "MutatingAdmissionPolicy",
    False,
    "mutatingadmissionpolicy",
    categories=("api-extensions",),
)
MUTATING_ADMISSION_POLICY_BINDINGS = Resource(
    _ADMISSION,
    "v1",
    "mutatingadmissionpolicybindings",
    "MutatingAdmissionPolicyBinding",
    False,
    "mutatingadmissionpolicybinding",
    categories=("api-extensions",),
)
VALIDATING_ADMISSION_POLICIES = Resource(
    _ADMISSION,
    "v1",
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    False,
    "validatingadmissionpolicy",
    categories=("api-extensions",),
)
VALIDATING_ADMISSION_POLICY_BINDINGS = Resource(
    _ADMISSION,
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    False,
    "validatingadmissionpolicybinding",
    categories=("api-extensions",),
)
VALIDATING_WEBHOOK_CONFIGURATIONS = Resource(
    _ADMISSION,
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    False,
    "validatingwebhookconfiguration",
    categories=("api-extensions",),
)

API_SERVICES = Resource(
    "apiregistration.k8s.io",
    "v1",
    "apiservices",
    "APIService",
    False,
    "apiservice",
    categories=("api-extensions",),
)

CRON_JOBS = Resource("batch", "v1", "cronjobs", "CronJob", True, "cronjob", ("cj",), ("all",))
JOBS = Resource("batch", "v1", "jobs", "Job", True, "job", categories=("all",))

CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    False,
    "customresourcedefinition",
    ("crd", "crds"),
    ("api-extensions",),
)

ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True, "endpointslice")

_FLOW_CONTROL = "flowcontrol.apiserver.k8s.io"
FLOW_SCHEMAS = Resource(_FLOW_CONTROL, "v1", "flowschemas", "FlowSchema", False, "flowschema")
PRIORITY_LEVEL_CONFIGURATIONS = Resource(
    _FLOW_CONTROL,
    "v1",
    "prioritylevelconfigurations",
    "PriorityLevelConfiguration",
    False,
    "prioritylevelconfiguration",
)

_NETWORKING = "networking.k8s.io"
INGRESS_CLASSES = Resource(_NETWORKING, "v1", "ingressclasses", "IngressClass", False, "ingressclass")
INGRESSES = Resource(_NETWORKING, "v1", "ingresses", "Ingress", True, "ingress", ("ing",))
IP_ADDRESSES = Resource(_NETWORKING, "v1", "ipaddresses", "IPAddress", False, "ipaddress", ("ip",))
NETWORK_POLICIES = Resource(
    _NETWORKING, "v1", "networkpolicies", "NetworkPolicy", True, "networkpolicy", ("netpol",)
)

SERVICE_CIDRS = Resource(_NETWORKING, "v1", "servicecidrs", "ServiceCIDR", False, "servicecidr")

LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease", True, "lease")

HORIZONTAL_POD_AUTOSCALERS = Resource(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    True,
    "horizontalpodautoscaler",
    ("hpa",),
    ("all",),
)

POD_DISRUPTION_BUDGETS = Resource(
    "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", True, "poddisruptionbudget", ("pdb",)
)

PRIORITY_CLASSES = Resource(
    "scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", False, "priorityclass", ("pc",)
)

_DEVICES = "resource.k8s.io"
DEVICE_CLASSES = Resource(_DEVICES, "v1", "deviceclasses", "DeviceClass", False, "deviceclass")
DEVICE_TAINT_RULES = Resource(_DEVICES, "v1", "devicetaintrules", "DeviceTaintRule", False, "devicetaintrule")
RESOURCE_CLAIMS = Resource(_DEVICES, "v1", "resourceclaims", "ResourceClaim", True, "resourceclaim")
RESOURCE_CLAIM_TEMPLATES = Resource(
    _DEVICES, "v1", "resourceclaimtemplates", "ResourceClaimTemplate", True, "resourceclaimtemplate"
)
RESOURCE_SLICES = Resource(_DEVICES, "v1", "resourceslices", "ResourceSlice", False, "resourceslice")

RUNTIME_CLASSES = Resource("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", False, "runtimeclass")

_STORAGE = "storage.k8s.io"
CSI_DRIVERS = Resource(_STORAGE, "v1", "csidrivers", "CSIDriver", False, "csidriver")
CSI_NODES = Resource(_STORAGE, "v1", "csinodes", "CSINode", False, "csinode")
CSI_STORAGE_CAPACITIES = Resource(
    _STORAGE, "v1", "csistoragecapacities", "CSIStorageCapacity", True, "csistoragecapacity"
)
STORAGE_CLASSES = Resource(_STORAGE, "v1", "storageclasses", "StorageClass", False, "storageclass", ("sc",))
VOLUME_ATTACHMENTS = Resource(
    _STORAGE, "v1", "volumeattachments", "VolumeAttachment", False, "volumeattachment"
)
VOLUME_ATTRIBUTES_CLASSES = Resource(
    _STORAGE,
    "v1",
    "volumeattributesclasses",
    "VolumeAttributesClass",
    False,
    "volumeattributesclass",
    ("vac",),
)

STORAGE_VERSION_MIGRATIONS = Resource(
    "storagemigration.k8s.io",
    "v1",
    "storageversionmigrations",
    "StorageVersionMigration",
    False,
    "storageversionmigration",
)

_RBAC = "rbac.authorization.k8s.io"
CLUSTER_ROLE_BINDINGS = Resource(
    _RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", False, "clusterrolebinding"
)
CLUSTER_ROLES = Resource(_RBAC, "v1", "clusterroles", "ClusterRole", False, "clusterrole")
ROLE_BINDINGS = Resource(_RBAC, "v1", "rolebindings", "RoleBinding", True, "rolebinding")
ROLES = Resource(_RBAC, "v1", "roles", "Role", True, "role")

MANIFEST_FILES = Resource(
    "ktui.dev", "v1alpha1", "manifestfiles", "ManifestFile", False, "manifestfile", ("mf",)
)
"""One file of the watched folder: what it brought, its state and its error."""
SCHEDULING_DECISIONS = Resource(
    "ktui.dev", "v1alpha1", "schedulingdecisions", "SchedulingDecision", True, "schedulingdecision"
)
"""The scheduler's last recorded decision on a pod, per node and plugin."""
