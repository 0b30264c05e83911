"""Finds each pending pod a node: a queue, filter and score plugins, preemption, and the record of why.

Reads pods, nodes and namespaces from informers, writes bindings, pod conditions, events and
`SchedulingDecision` objects through a `Client`. A scheduling cycle is a pure computation over a `Snapshot`;
adding a rule is adding one plugin file and one line in `plugins/__init__.py`.
"""
