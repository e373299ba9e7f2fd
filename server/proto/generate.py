#!/usr/bin/env python3
"""Makes types.txt: what protobuf messages of the Kubernetes API hold, from the tags of Go's types.

  generate.py API APIMACHINERY > types.txt

API and APIMACHINERY are clones of kubernetes/api and kubernetes/apimachinery at the served version
(REF in the environment names a branch, HEAD otherwise). A line without indent names a message; the
lines below it are its fields: number, JSON name (`=` where the message is inlined), type. Types:
`*` may be absent although it is zero, `[]` a list, `{}` a map with strings as keys.
"""
import os, re, subprocess, sys

GROUPS = ["apps/v1", "authentication/v1", "authorization/v1", "autoscaling/v1", "autoscaling/v2", "batch/v1",
          "certificates/v1", "coordination/v1", "core/v1", "discovery/v1", "events/v1", "networking/v1", "node/v1",
          "policy/v1", "rbac/v1", "scheduling/v1", "storage/v1"]
SCALARS = {"string", "bool", "int32", "int64", "float64", "byte", "uint8"}
OWN = {"metav1.Time": "time", "metav1.MicroTime": "time", "metav1.Duration": "duration",
       "resource.Quantity": "quantity", "intstr.IntOrString": "intorstring", "runtime.RawExtension": "raw",
       "metav1.FieldsV1": "raw", "types.UID": "string", "metav1.LabelSelectorOperator": "string"}


def show(clone, path):
    ref = os.environ.get("REF", "HEAD")
    return subprocess.run(["git", "-C", clone, "show", f"{ref}:{path}"], check=True, capture_output=True, text=True).stdout


def parse(package, text):
    named = dict(re.findall(r"^\s*type (\w+) ((?:\[\]|map\[)?[\w.\]\[]+)$", text, re.M))
    named |= dict(re.findall(r"^\t(\w+) (string|int32|int64)$", text, re.M))
    structs = {}
    for name, body in re.findall(r"^type (\w+) struct \{\n(.*?)^\}", text, re.M | re.S):
        fields = re.findall(r"^\t(?:\w+[ \t]+)?(\*?[\w.\[\]*]+)[ \t]+`json:\"([^\",]*)[^\"]*\"[^`\n]* protobuf:\"(?:varint|bytes|fixed64),(\d+)", body, re.M)
        structs[name] = fields
    return named, structs


def main():
    api, machinery = sys.argv[1:]
    packages = {g: parse(g, show(api, f"{g}/types.go")) for g in GROUPS}
    packages["meta/v1"] = parse("meta/v1", show(machinery, "pkg/apis/meta/v1/types.go"))
    prefixes = {"metav1": "meta/v1", "v1": "core/v1", "corev1": "core/v1", "api": "core/v1"}

    def resolve(package, text):
        for mark in ("*", "[]"):
            if text.startswith(mark):
                inner = resolve(package, text[len(mark):])
                return "bytes" if mark == "[]" and inner in ("byte", "uint8") else mark + inner
        if text.startswith("map[string]") or re.match(r"map\[\w+\]", text):
            return "{}" + resolve(package, text[text.index("]") + 1:])
        if package == "meta/v1" and "metav1." + text in OWN:
            return OWN["metav1." + text]
        if text in OWN:
            return OWN[text]
        if text in SCALARS:
            return text
        if "." in text:
            prefix, name = text.split(".")
            where = prefixes.get(prefix, f"core/v1")
            if name in ("Time", "MicroTime", "Duration", "FieldsV1"):
                return OWN["metav1." + name]
            if name == "LabelSelector" or name.startswith(("ObjectMeta", "Condition")) and prefix in ("metav1", "v1"):
                where = "meta/v1"
            return resolve(where, name)
        named, structs = packages[package]
        if text in structs:
            return f"{package}.{text}"
        if text in named:
            inner = resolve(package, named[text])
            # A named list is a message that holds it.
            return "items" if inner.startswith("[]") else inner
        raise SystemExit(f"{package}: what is {text}?")

    print("# Made by generate.py from the types of Kubernetes v1.36.")
    for package in sorted(packages):
        for name, fields in sorted(packages[package][1].items()):
            if not fields:
                continue
            print(f"{package}.{name}")
            for kind, json, number in fields:
                print(f" {number} {json or '='} {resolve(package, kind)}")


main()
