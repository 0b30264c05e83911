"""ValidatingAdmissionPolicy: rules in CEL that writes have to keep, bound to where they hold and with what parameters."""
