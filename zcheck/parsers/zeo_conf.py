"""A ZEO server's own file to a tree, by the parser and with the limits of :mod:`zcheck.parsers.zope_conf`.  Pure.

What ``runzeo`` would not start with is a :class:`~zcheck.facts.ConfFault` of kind ``refused``; what could not be had
here is one of kind ``unread``.  Nothing is raised, and no code of the server is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from zcheck.facts import Inventory, NotGathered, Section, ZeoConf, ZeoConfs, ZeoSection
from zcheck.parsers.zope_conf import Read, Tree, judge_bytes, judge_names, read_tree

# ZEO's schema allows one of each (ZEO/schema.xml).
_ONLY_ONE = ("zeo", "runner", "eventlog")


def parse(text: str, url: str, env: Mapping[str, str], read: Read) -> ZeoConf:
    """Read one ZEO server's file; the arguments are those of :func:`zcheck.parsers.zope_conf.parse`."""
    tree = read_tree(text, url, env, read, "write the ZEO server's configuration to it")
    conf = ZeoConf(
        file=url,
        settings=tuple(tree.top.settings),
        sections=tuple(tree.top.sections),
        imports=tuple(tree.context.imports),
        lines=text.count("\n") + (not text.endswith("\n")),
    )
    if text.strip() and not tree.context.is_template and not _is_another_kind(tree, conf):
        judge_bytes(tree.context, tree.top)
        if not tree.context.broken and not tree.context.stopped:
            _judge_structure(tree, conf)
    return ZeoConf(conf.file, conf.settings, conf.sections, conf.imports, tuple(tree.context.faults), conf.lines)


def of_servers(
    inventory: Inventory,
    read_file: Callable[[str], str],
    read_for: Callable[[str], Read],
    env_of: Callable[[ZeoSection], Mapping[str, str]] = lambda server: server.env,
) -> ZeoConfs | None:
    """The file of every ``[zeo:NAME]`` section that names one; None where none does.

    ``read_file`` gives the text of a file or raises OSError; ``read_for`` gives, for such a file, the reader of what it
    includes; ``env_of`` gives what ``$(NAME)`` means for a server, or raises OSError.
    """
    confs: dict[str, ZeoConf | NotGathered] = {}
    for server in inventory.zeo_servers:
        if server.conf is None:
            continue
        try:
            confs[server.name] = parse(read_file(server.conf), server.conf, env_of(server), read_for(server.conf))
        except OSError as error:
            confs[server.name] = NotGathered(str(error), "put a copy of the ZEO server's file there")
    return ZeoConfs(confs) if confs else None


def _is_another_kind(tree: Tree, conf: ZeoConf) -> bool:
    """Tell a file that another kind of server reads, such as plone-backend's zeo.conf, which is a Zope client's."""
    client = next((section for section in conf.sections if section.type == "zodb_db"), None)
    if client is None or conf.zeo is not None:
        return False
    tree.context.faults.clear()
    message = "this is a Zope client's configuration, not a ZEO server's"
    tree.context.fault("refused", message, client.file, client.line, "name the ZEO server's own file in clients.ini")
    return True


def _judge_structure(tree: Tree, conf: ZeoConf) -> None:
    """Tell what ZEO's schema and ``runzeo`` refuse, whatever the add-ons and the version."""
    fault = tree.context.fault
    judge_names(tree.context, conf.sections)
    for kind in _ONLY_ONE:
        for section in [section for section in conf.sections if section.type == kind][1:]:
            fault(
                "refused",
                f"a second <{kind}> section",
                section.file,
                section.line,
                f"move its lines into the first <{kind}>, and remove this one",
            )
    # What an include that could not be read holds is not known.
    is_whole = not any(found.kind == "unread" for found in tree.context.faults)
    if conf.zeo is None and is_whole:
        fault("refused", "there is no <zeo> section", conf.file, max(conf.lines, 1), "write <zeo> with an address")
    elif conf.zeo is not None and conf.address is None and is_whole:
        fault("refused", "<zeo> has no address", conf.zeo.file, conf.zeo.line, "write 'address 8100' into it")
    if not conf.storages and is_whole:
        fault("refused", "no storage is served", conf.file, max(conf.lines, 1), "write <filestorage 1> with a path")
    _judge_unnamed(tree, [storage.section for storage in conf.storages])


def _judge_unnamed(tree: Tree, storages: list[Section]) -> None:
    """One storage may go without a name, and is then ``1`` (ZEO/runzeo.py, ZEOOptions.realize)."""
    unnamed = [section for section in storages if not section.name]
    one = next((section for section in storages if section.name == "1"), None)
    for section in unnamed[1:]:
        message = f"<{section.type}> has no name, nor has that of line {unnamed[0].line}; one alone may go without"
        tree.context.fault("refused", message, section.file, section.line, f"write <{section.type} NAME>")
    if unnamed and one is not None:
        message = f"<{unnamed[0].type}> has no name and would be '1', as that of line {one.line} is"
        tree.context.fault("refused", message, unnamed[0].file, unnamed[0].line, f"write <{unnamed[0].type} NAME>")
