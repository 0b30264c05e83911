"""ktui's verbs against a running engine: kubectl's flags, formats, texts and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from engine_process import EngineProcess


def config(name: str, value: str = "1") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: '{value}'}}\n"


class TestGet:
    """Listing and showing objects."""

    def test_a_table_has_kubectls_columns(self, engine: EngineProcess) -> None:
        lines = engine.ok("get", "deployments").lines
        assert lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
        assert lines[1].split()[:4] == ["web", "2/2", "2", "2"]

    def test_wide_adds_columns(self, engine: EngineProcess) -> None:
        header = engine.ok("get", "po", "-o", "wide").lines[0].split("  ")
        assert {"IP", "NODE"} <= {cell.strip() for cell in header}

    def test_all_namespaces_adds_a_column(self, engine: EngineProcess) -> None:
        lines = engine.ok("get", "cm", "-A").lines
        assert lines[0].split()[:2] == ["NAMESPACE", "NAME"]
        assert any(line.split()[:2] == ["default", "page"] for line in lines)

    def test_yaml_and_json_are_the_object(self, engine: EngineProcess) -> None:
        as_yaml = yaml.safe_load(engine.ok("get", "deploy/web", "-o", "yaml").out)
        as_json = json.loads(engine.ok("get", "deploy", "web", "-o", "json").out)
        assert as_yaml["spec"] == as_json["spec"]
        assert as_json["kind"] == "Deployment"
        assert "managedFields" not in as_json["metadata"]
        shown = json.loads(engine.ok("get", "deploy", "web", "-o", "json", "--show-managed-fields").out)
        assert shown["metadata"]["managedFields"]

    def test_a_list_is_printed_as_a_list(self, engine: EngineProcess) -> None:
        listed = json.loads(engine.ok("get", "pods", "-o", "json").out)
        assert listed["kind"] == "List"
        assert all(item["kind"] == "Pod" for item in listed["items"])

    def test_names_jsonpath_and_custom_columns(self, engine: EngineProcess) -> None:
        assert engine.ok("get", "deploy", "-o", "name").out == "deployment.apps/web\n"
        assert engine.ok("get", "deploy/web", "-o", "jsonpath={.spec.replicas}").out == "2"
        columns = engine.ok("get", "deploy", "-o", "custom-columns=N:.metadata.name,R:.spec.replicas").lines
        assert [line.split() for line in columns] == [["N", "R"], ["web", "2"]]

    def test_selectors_narrow(self, engine: EngineProcess) -> None:
        assert len(engine.ok("get", "pods", "-l", "app=web", "-o", "name").lines) == 2
        assert engine.ok("get", "pods", "-l", "app in (other)").out == ""
        assert engine.ok("get", "pods", "--field-selector", "status.phase=Pending", "-o", "name").out == ""

    def test_several_kinds_and_categories(self, engine: EngineProcess) -> None:
        out = engine.ok("get", "deploy,rs", "--no-headers").out
        assert out.startswith("deployment.apps/web ")
        assert "\nreplicaset.apps/web-" in out
        assert "pod/web-" in engine.ok("get", "all").out

    def test_labels_and_sorting(self, engine: EngineProcess) -> None:
        lines = engine.ok("get", "deploy", "--show-labels", "-L", "tier").lines
        assert lines[1].split()[-2:] == ["front", "app=web,tier=front"]
        names = engine.ok("get", "ns", "--sort-by", ".metadata.name", "-o", "name").lines
        assert names == sorted(names)

    def test_nothing_found_is_said_on_stderr(self, engine: EngineProcess) -> None:
        result = engine.ok("get", "secrets", "-n", "kube-public")
        assert (result.out, result.err.strip()) == ("", "No resources found in kube-public namespace.")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["get", "pod", "nope"], 'Error from server (NotFound): pods "nope" not found'),
            (["get", "pdos"], 'error: the server doesn\'t have a resource type "pdos" (did you mean pods?)'),
            (["get"], "error: you must specify the type of resource, such as `ktui get pods`"),
            (["get", "pods", "-o", "xml"], "error: unknown output format 'xml'"),
            (["get", "pods", "-o", "jsonpath={.x[}"], "error: error parsing jsonpath"),
            (["get", "pods", "-l", "a in ("], "Error from server (BadRequest)"),
            (["get", "pods,deploy", "x"], "error: names go with one resource type only"),
        ],
    )
    def test_mistakes_are_one_line_and_an_exit_code(
        self, engine: EngineProcess, words: list[str], message: str
    ) -> None:
        result = engine.run(*words)
        assert result.code == 1
        assert result.out == ""
        assert result.err.startswith(message)
        assert result.err.count("\n") == 1

    def test_what_is_there_is_printed_before_what_is_missing_is_told(self, engine: EngineProcess) -> None:
        for extra in ([], ["-o", "name"], ["--sort-by", ".metadata.name"]):
            result = engine.run("get", "cm", "nope", "page", "nor-this", *extra)
            assert result.code == 1
            assert "page" in result.out
            assert [line.split('"')[1] for line in result.err.splitlines()] == ["nope", "nor-this"]

    def test_json_is_escaped_as_go_escapes_it(self, engine: EngineProcess) -> None:
        engine.ok("apply", "-f", "-", stdin=config("signs", "<a> & b"))
        out = engine.ok("get", "cm", "signs", "-o", "json").out
        assert r"\u003ca\u003e \u0026 b" in out
        assert json.loads(out)["data"]["key"] == "<a> & b"
        engine.ok("delete", "cm", "signs")

    def test_ignore_not_found(self, engine: EngineProcess) -> None:
        result = engine.ok("get", "pod", "nope", "--ignore-not-found")
        assert (result.out, result.err) == ("", "")

    def test_the_data_folder_may_be_named_before_or_after_the_verb(
        self, engine: EngineProcess, tmp_path: Path
    ) -> None:
        folder = str(engine.data_dir)
        elsewhere = EngineProcess(tmp_path, None)
        assert elsewhere.run("--data-dir", folder, "get", "ns").code == 0
        assert elsewhere.run("get", "ns", "--data-dir", folder).code == 0
        assert elsewhere.run(f"--data-dir={folder}", "--debug=true", "get", "ns").code == 0
        result = elsewhere.run("get", "ns")
        assert result.code == 1
        assert result.err.startswith(f"error: no ktui engine runs on {tmp_path}")

    def test_the_namespace_may_be_named_before_the_verb(self, engine: EngineProcess) -> None:
        for words in (["-n", "kube-system"], ["-n=kube-system"], ["--namespace=kube-system"]):
            out = engine.ok(
                "--debug=false", *words, "get", "sa", "-o", "jsonpath={.items[*].metadata.namespace}"
            ).out
            assert set(out.split()) == {"kube-system"}
        assert "page" in engine.ok("-n", "kube-system", "get", "cm", "-n", "default").out
        text = config("x").replace("name: x", "name: x, namespace: default")
        assert "does not match" in engine.run("-n", "kube-system", "apply", "-f", "-", stdin=text).err
        assert engine.run("--debug=perhaps", "get", "ns").code == 2


class TestApplyAndDelete:
    """Changing objects from files and by name."""

    def test_apply_says_what_it_did(self, engine: EngineProcess, tmp_path: Path) -> None:
        file = tmp_path / "a.yaml"
        file.write_text(config("applied"))
        assert engine.ok("apply", "-f", str(file)).out == "configmap/applied created\n"
        assert engine.ok("apply", "-f", str(file)).out == "configmap/applied unchanged\n"
        file.write_text(config("applied", "2"))
        assert engine.ok("apply", "-f", str(file)).out == "configmap/applied configured\n"
        assert engine.ok("delete", "-f", str(file)).out == 'configmap "applied" deleted\n'
        assert engine.run("get", "cm", "applied").code == 1

    def test_apply_reads_standard_input_and_dry_runs(self, engine: EngineProcess) -> None:
        out = engine.ok("apply", "-f", "-", "--dry-run=server", stdin=config("dry")).out
        assert out == "configmap/dry created (server dry run)\n"
        assert engine.run("get", "cm", "dry").code == 1

    def test_kubectls_spellings_of_flags(self, engine: EngineProcess) -> None:
        out = engine.ok("apply", "-f", "-", "--dry-run=client", stdin=config("dry")).out
        assert out == "configmap/dry created (dry run)\n"
        assert engine.run("get", "cm", "dry", "--all-namespaces=false").code == 1
        engine.ok("apply", "-f", "-", stdin=config("short-lived"))
        out = engine.ok("delete", "cm", "short-lived", "--dry-run=client").out
        assert out == 'configmap "short-lived" deleted (dry run)\n'
        out = engine.ok("delete", "cm", "short-lived", "--grace-period=0", "--force", "--timeout=30s").out
        assert out == 'configmap "short-lived" force deleted\n'
        assert engine.run("delete", "cm", "x", "--now", "--grace-period=3").code == 1

    def test_mistakes_are_told_at_file_line_and_column(self, engine: EngineProcess, tmp_path: Path) -> None:
        file = tmp_path / "bad.yaml"
        file.write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine}\n---\n"
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: Not_Fine\ndata:\n  k: v\ndatta: {}\n---\n"
            "apiVersion: v1\nkind: ConfgMap\nmetadata: {name: x}\n"
        )
        result = engine.run("apply", "-f", str(file))
        assert result.code == 1
        assert result.out == "configmap/fine created\n"
        assert result.err.startswith(f"{file}:14:1: kind: no matches for kind")
        assert "did you mean kind ConfigMap in apiVersion v1?" in result.err
        assert f'{file}:11:1: datta: unknown field "datta" (did you mean "data"?)' in result.err
        file.write_text("a: [\n")
        assert engine.run("apply", "-f", str(file)).err.startswith(f"{file}:2:1: ")
        engine.ok("delete", "cm", "fine")

    def test_conflicts_with_other_managers_are_refused_unless_forced(self, engine: EngineProcess) -> None:
        engine.ok("apply", "-f", "-", "--field-manager", "one", stdin=config("contested"))
        result = engine.run("apply", "-f", "-", "--field-manager", "two", stdin=config("contested", "2"))
        assert result.code == 1
        assert 'conflict with "one"' in result.err
        engine.ok(
            "apply", "-f", "-", "--field-manager", "two", "--force-conflicts", stdin=config("contested", "2")
        )
        engine.ok("delete", "cm/contested")

    def test_delete_by_selector_and_all(self, engine: EngineProcess) -> None:
        for name in ("d1", "d2"):
            labelled = config(name).replace("}\ndata", ", labels: {del: 'yes'}}\ndata")
            engine.ok("apply", "-f", "-", stdin=labelled)
        assert len(engine.ok("delete", "cm", "-l", "del=yes").lines) == 2
        assert engine.run("delete", "cm").err.startswith("error: resource(s) were provided, but no name")
        assert engine.run("delete", "cm", "nope").err.startswith("Error from server (NotFound)")
        engine.ok("delete", "cm", "nope", "--ignore-not-found")

    def test_a_namespace_mismatch_is_refused(self, engine: EngineProcess) -> None:
        text = config("x").replace("name: x", "name: x, namespace: kube-system")
        result = engine.run("apply", "-f", "-", "-n", "default", stdin=text)
        assert 'the namespace from the provided object "kube-system" does not match' in result.err


class TestWorkloads:
    """Scale, rollout, describe, logs, exec, events."""

    def test_describe_shows_events(self, engine: EngineProcess) -> None:
        out = engine.ok("describe", "deployment", "web").out
        assert out.startswith("Name:                   web\n")
        assert "ScalingReplicaSet" in out
        assert "Containers:" in engine.ok("describe", "pod", "web-").out
        assert engine.run("describe", "pod", "nope").code == 1

    def test_scale_and_rollout(self, engine: EngineProcess) -> None:
        text = (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: roll}\nspec:\n  replicas: 1\n"
            "  selector: {matchLabels: {app: roll}}\n  template:\n    metadata: {labels: {app: roll}}\n"
            "    spec: {containers: [{name: main, image: 'roll:1'}]}\n"
        )
        engine.ok("apply", "-f", "-", stdin=text)
        assert engine.ok("scale", "deploy/roll", "--replicas", "3").out == "deployment.apps/roll scaled\n"
        done = 'deployment "roll" successfully rolled out'
        assert engine.ok("rollout", "status", "deploy/roll").lines[-1] == done
        engine.ok("apply", "-f", "-", "--force-conflicts", stdin=text.replace("roll:1", "roll:2"))
        engine.ok("rollout", "status", "deployment", "roll", "--timeout", "30")
        history = engine.ok("rollout", "history", "deploy/roll").out
        assert [line.split()[0] for line in history.strip().splitlines()[2:]] == ["1", "2"]
        assert "roll:1" in engine.ok("rollout", "history", "deploy/roll", "--revision", "1").out
        assert engine.ok("rollout", "undo", "deploy/roll").out == "deployment.apps/roll rolled back\n"
        engine.ok("rollout", "status", "deploy/roll")
        image = engine.ok(
            "get", "deploy/roll", "-o", "jsonpath={.spec.template.spec.containers[0].image}"
        ).out
        assert image == "roll:1"
        assert engine.ok("rollout", "pause", "deploy/roll").out == "deployment.apps/roll paused\n"
        assert "already paused" in engine.run("rollout", "pause", "deploy/roll").err
        assert engine.ok("rollout", "resume", "deploy/roll").out == "deployment.apps/roll resumed\n"
        assert engine.ok("rollout", "restart", "deploy/roll").out == "deployment.apps/roll restarted\n"
        engine.ok("rollout", "status", "deploy/roll")
        assert "unable to find" in engine.run("rollout", "undo", "deploy/roll", "--to-revision", "99").err
        engine.ok("delete", "deploy/roll")

    def test_events_can_be_narrowed_to_an_object(self, engine: EngineProcess) -> None:
        lines = engine.ok("events", "--for", "deployment/web").lines
        assert lines[0].split()[:4] == ["LAST", "SEEN", "TYPE", "REASON"]
        assert all("Deployment/web" in line for line in lines[1:])
        assert engine.ok("events", "--types", "Warning", "--for", "deployment/web").out == ""

    def test_logs_and_exec_reach_the_container(self, engine: EngineProcess) -> None:
        engine.ok("logs", "deploy/web")
        pod = engine.ok("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}").out
        engine.ok("logs", pod, "--tail", "1", "--timestamps")
        assert engine.ok("exec", pod, "--", "echo", "hi").code == 0
        assert engine.run("logs", pod, "-c", "nope").code == 1
        assert engine.run("logs", "nope").err.startswith("Error from server (NotFound)")

    def test_version_names_both_sides(self, engine: EngineProcess) -> None:
        out = engine.ok("version").out
        assert "Client Version: " in out
        assert "Server Version: v1." in out
