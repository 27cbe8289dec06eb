"""Running code that may be hostile: warm parents, confined children, and the channel between them and us.

``warm`` starts a process that has imported everything once, ``forking`` is that process and forks children,
``confinement`` takes from a child what a learner's code has no need of, ``scratch`` is the folder a child may write to,
and ``channel`` carries messages. Nothing here knows about notebooks, exercises or marks.
"""
