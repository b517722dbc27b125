"""zcheck's eyes on another machine: this script is sent to a Python there, on its standard input, and looks around.

For whoever is asked to let it run.  ``zcheck gather --show-script`` prints it; zcheck adds one last line, a call of
``main`` with a request in JSON.  It needs the standard library alone (Python 2.7, or 3.5 and later) and does one of
five tasks:

``look``   which process listens on a Zope client's port, since when, with which files, variables and distributions
``peers``  what the names of ZEO servers mean here, whether these servers answer, and what certain folders are
``hold``   puts one small file into a folder of shared blobs, says so, and takes it away again seconds later
``seek``   whether such a file of another machine is seen here
``caches`` which objects a ZEO client's own cache files hold, by their numbers alone; nothing of their content

What it does not do: it runs no program, changes nothing, and leaves nothing behind; ``hold`` alone writes, that one
file.  What it prints is one JSON document of bounded size.  The values of variables that speak of a secret are hashed
with a salt of the run, and never leave the machine.  It ends by itself at its time limit.
"""

import base64
import errno
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import stat
import struct
import sys
import threading
import time

MAX_FILE = 1024 * 1024
MAX_FILES = 300
MAX_BYTES = 4 * 1024 * 1024
MAX_VALUE = 4096
MAX_DISTRIBUTIONS = 2000
MAX_FOLDERS = 1000
SECRET = re.compile(r"pass|secret|token|key|credential|dsn", re.IGNORECASE)
GONE = (IOError, OSError, ValueError)


def main(request):
    """Do what the request says, and print the answer between two lines that nothing else prints."""
    request = json.loads(request)
    # What holds a file takes it away before it ends; what hangs in a look is ended by the system, as it is.
    ends = ("SIGTERM", "SIGHUP", "SIGINT", "SIGALRM") if request["task"] == "hold" else ()
    for name in ends:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _end)
    if hasattr(signal, "alarm"):
        signal.alarm(int(request["seconds"]) + 3)
    answer = {}
    if request["task"] == "hold":
        hold(request, answer)
    else:
        task = {"look": look, "peers": peers, "seek": seek, "caches": caches}[request["task"]]
        worker = threading.Thread(target=_guarded, args=(task, request, answer))
        worker.daemon = True
        worker.start()
        worker.join(request["seconds"])
        tell(request, answer)
    os._exit(0)


def _end(number, frame):
    raise SystemExit(number)


def _guarded(task, request, answer):
    try:
        task(request, answer)
    except Exception as error:  # told to zcheck, for which nothing is known then
        answer["failed"] = "%s: %s" % (type(error).__name__, shown(error))


def tell(request, answer):
    answer["clock"] = time.time()
    for _ in range(3):
        try:
            text = json.dumps(sound(answer))
            break
        except RuntimeError:  # the worker is late, and just now added something
            text = "{}"
    write("\n----- %s begins -----\n%s\n----- %s ends -----\n" % (request["mark"], text, request["mark"]))


def write(text):
    data = text.encode("ascii")
    while data:
        data = data[os.write(1, data) :]


def sound(value):
    """The same for all that is in it: file names and variables need not be UTF-8."""
    if isinstance(value, dict):
        return {sound(key): sound(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [sound(one) for one in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.encode("utf-8", "replace").decode("utf-8") if hasattr(value, "encode") else value


def shown(value):
    """Text that JSON can hold, whatever bytes it was made of, and not too long."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    try:
        return ("%s" % (value,))[:MAX_VALUE]
    except UnicodeError:
        return repr(value)[:MAX_VALUE]


def why(error):
    return shown(getattr(error, "strerror", None) or error)


# --- look: a machine and the clients that run on it ------------------------------------------------


def look(request, answer):
    answer["host"] = shown(socket.gethostname())
    answer["addresses"] = own_addresses()
    answer["files"] = files = {}
    answer["clients"] = {}
    for client in request["clients"]:
        found = {}
        look_at(client, request, found, files)
        answer["clients"][client["name"]] = found


def look_at(client, request, found, files):
    """One client: its process first, since that tells what was left out of clients.ini."""
    process, found["why_no_process"] = listening(client["port"], client.get("host", ""))
    started = {}
    if process is not None:
        found["process"] = process.told()
        found["python_version"] = process.version
        started = process.started_with()
        found["started_with"] = started
        distributions, found["why_no_distributions"] = process.distributions()
        if distributions is not None:
            found["distributions"] = distributions
    conf = _there(client.get("zope_conf")) or started.get("zope_conf")
    ini = _there(client.get("wsgi_ini")) or started.get("wsgi_ini")
    env_file = _there(client.get("env_file"))
    found["zope_conf"], found["wsgi_ini"], found["env_file"] = conf, ini, env_file
    owner = process.owner() if process is not None and conf == started.get("zope_conf") else None
    variables = process.variables if process is not None else {}
    names = set(request["variables"])
    if conf:
        names |= bring_conf(conf, variables, files, owner)
        if not ini:
            for name in ("zope.ini", "wsgi.ini"):
                beside = os.path.join(os.path.dirname(conf), name)
                if os.path.exists(beside):
                    bring(beside, files, owner)
    for path in (ini, env_file):
        if path:
            bring(path, files, owner if path == started.get("wsgi_ini") else None)
    if started.get("zope_conf") and conf and started["zope_conf"] != conf:
        found["same_conf"] = os.path.realpath(started["zope_conf"]) == os.path.realpath(conf)
    found["variables"], found["hashed"] = disclosed(variables, names, request["salt"])


def _there(path):
    return os.path.normpath(os.path.expanduser(path)) if path else None


def disclosed(variables, names, salt):
    """The values of these variables in clear; where the name speaks of a secret, a salted hash alone."""
    clear, hashed = {}, {}
    for name in sorted(names)[:500]:
        value = variables.get(name)
        if value is None or len(value) > MAX_VALUE:
            continue
        masked = value
        for password in PASSWORDS:
            masked = password.sub(lambda match: match.group(1) + digest(match.group(2), salt), masked)
        is_dsn = name.lower().endswith("dsn") and re.search("[=@]", value)
        if SECRET.search(name) and not is_dsn:
            hashed[name] = digest(value, salt)
        else:
            clear[name] = shown(masked)
    return clear, hashed


# In a connection string or a URL: what stands before a password, and the password.
PASSWORDS = (
    re.compile(r"((?:pass\w*|pwd|secret|token)\s*=\s*)('[^']*'|[^\s&;]+)", re.IGNORECASE),
    re.compile(r"(://[^/\s:@]*:|^[^/\s:@=]+/)([^/\s@]+)(?=@)"),
)


def digest(value, salt):
    value = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    return hmac.new(base64.b64decode(salt), value, hashlib.sha256).hexdigest()[:16]


# --- files, with what they include -----------------------------------------------------------------

INCLUDE = re.compile(r"^[ \t]*%include[ \t]+(\S.*?)[ \t\r]*$", re.MULTILINE)
DEFINE = re.compile(r"^[ \t]*%define[ \t]+(\w+)[ \t]+(\S.*?)[ \t\r]*$", re.MULTILINE)
VARIABLE = re.compile(r"\$\((\w+)\)")
REFERENCE = re.compile(r"\$(?:\{(\w+)\}|\((\w+)\)|(\w+))")


def bring_conf(path, variables, files, owner):
    """Read a zope.conf and what it includes; return the names of the variables that are used in it."""
    names, defines, waiting, met = set(), {}, [(path, owner)], set()
    while waiting and len(met) < MAX_FILES:
        path, owner = waiting.pop(0)
        if path in met:
            continue
        met.add(path)
        text = bring(path, files, owner)
        if text is None:
            continue
        names |= set(VARIABLE.findall(text))
        for name, value in DEFINE.findall(text):
            defines[name.lower()] = substituted(value, defines, variables)
        for target in INCLUDE.findall(text):
            target = substituted(target, defines, variables)
            target = target[7:] if target.startswith("file://") else target
            including = owner or _stat(path)
            waiting.append((os.path.normpath(os.path.join(os.path.dirname(path), target)), including))
    return names


def substituted(text, defines, variables):
    def value(match):
        braced, variable, bare = match.groups()
        found = variables.get(variable) if variable else defines.get((braced or bare).lower())
        return match.group() if found is None else found

    return REFERENCE.sub(value, text)[:MAX_VALUE]


def _stat(path):
    try:
        return os.stat(path)
    except GONE:
        return None


def bring(path, files, owner):
    """Read one regular file into the answer; return its text.

    As root, nothing is brought that ``owner`` (of the process, or of the file that includes it) could not read itself.
    """
    if path in files:
        return None
    total = sum(len(one.get("data", "")) for one in files.values())
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("is no regular file")
        if found.st_size > MAX_FILE or total + found.st_size > MAX_BYTES or len(files) >= MAX_FILES:
            raise ValueError("is too large, or one too many")
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        own = owner is None or owner.st_uid in (0, found.st_uid) or owner.st_gid == found.st_gid
        if root and not own and not found.st_mode & stat.S_IROTH:
            raise ValueError("may not be read by the client itself")
        with open(path, "rb") as file:
            data = file.read(MAX_FILE)
    except GONE as error:
        files[shown(path)] = {"why": why(error), "missing": getattr(error, "errno", 0) == errno.ENOENT}
        return None
    files[shown(path)] = {"data": base64.b64encode(data).decode("ascii"), "mtime": found.st_mtime}
    return data.decode("utf-8", "replace")


# --- the process that listens on a port -------------------------------------------------------------


def listening(port, host):
    """The process that listens on this port, and why it is not known.  Linux alone shows it without a program."""
    if not os.path.isdir("/proc/self/fd"):
        return None, "this system has no /proc that would show which process listens on port %d" % port
    sockets = {}
    for _ in range(3):
        # The kernel lists them piece by piece: one can be missed while others come and go.
        sockets = sockets or sockets_on(port)
    if not sockets:
        return None, "nothing listens on port %d there" % port
    inodes = those_at(sockets, host)
    held = [(pid, held_by(pid, inodes)) for pid in pids()]
    held = [(pid, own) for pid, own in held if own]
    if not held:
        return None, "what listens on port %d belongs to user %s, and user %s may not look at it" % (
            port,
            user_name(int(sockets[inodes[0]][1])),
            user_name(os.geteuid()),
        )
    if any(not own & others for _, own in held for _, others in held):
        told = ", ".join(str(pid) for pid, _ in held[:5])
        return None, "processes %s listen on port %d, each at another address: give it as a number" % (told, port)
    # A supervisor may hold the socket as well as the Zope that it started; a parent is older than its children.
    found = sorted((Process(pid) for pid, _ in held), key=lambda one: (not one.is_python, one.started or 0, one.pid))
    process = found[0]
    if process.namespace and process.namespace != link("/proc/self/ns/mnt"):
        return None, "process %d has files of its own (a container): run the script inside of it" % process.pid
    return process, ""


def those_at(sockets, host):
    """The sockets at this host's addresses, else at every address, else all."""
    wanted = {host}
    if len(sockets) > 1 and host:
        try:
            wanted |= {info[4][0] for info in socket.getaddrinfo(host, None)}
        except (socket.gaierror, UnicodeError):
            pass
    for some in (wanted, {"0.0.0.0", "::"}):
        at = [inode for inode in sockets if sockets[inode][0].replace("::ffff:", "") in some]
        if at:
            return at
    return list(sockets)


def sockets_on(port):
    """The sockets that listen on this port, by inode: address, and user."""
    found = {}
    for name, width in (("tcp", 8), ("tcp6", 32)):
        for line in read("/proc/net/" + name, 8 * MAX_FILE).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port:
                found[fields[9]] = (address(fields[1].split(":")[0], width), fields[7])
    return found


def address(text, width):
    """An address of /proc/net: words of four bytes, each in the machine's own order."""
    words = [text[at : at + 8] for at in range(0, width, 8)]
    data = [base64.b16decode(word)[:: -1 if sys.byteorder == "little" else 1] for word in words]
    return socket.inet_ntop(socket.AF_INET if width == 8 else socket.AF_INET6, b"".join(data))


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def held_by(pid, inodes):
    """Which of these sockets a process holds."""
    folder = "/proc/%d/fd" % pid
    try:
        names = os.listdir(folder)
    except GONE:
        return set()
    held = {link(os.path.join(folder, name)) for name in names}
    return {inode for inode in inodes if "socket:[%s]" % inode in held}


def link(path):
    try:
        return os.readlink(path)
    except GONE:
        return ""


def read(path, limit=MAX_FILE):
    try:
        with open(path, "rb") as file:
            data = file.read(limit)
    except GONE:
        return ""
    return data if str is bytes else data.decode("utf-8", "surrogateescape")


def user_name(number):
    try:
        import pwd

        return pwd.getpwuid(number).pw_name
    except (ImportError, KeyError):
        return str(number)


class Process(object):
    """What /proc shows of one process."""

    def __init__(self, pid):
        self.pid = pid
        self.folder = "/proc/%d/" % pid
        self.arguments = read(self.folder + "cmdline").split("\0")[:-1]
        self.cwd = link(self.folder + "cwd") or "/"
        self.program = link(self.folder + "exe")
        self.namespace = link(self.folder + "ns/mnt")
        self.is_python = re.search("python|pypy", os.path.basename(self.program)) is not None
        pairs = [line.split("=", 1) for line in read(self.folder + "environ").split("\0") if "=" in line]
        self.variables = dict(pairs)
        self.started = self._started()
        self.prefix = self._prefix()
        self.version = self._version()

    def owner(self):
        return _stat(self.folder)

    def told(self):
        owner = self.owner()
        return {
            "pid": self.pid,
            "started_at": self.started,
            "command": self._command(),
            "user": user_name(owner.st_uid) if owner else "",
        }

    def _started(self):
        """Seconds since the epoch, by this machine's clock as it is now."""
        fields = read(self.folder + "stat").rpartition(")")[2].split()
        try:
            since_boot = int(fields[19]) / float(os.sysconf("SC_CLK_TCK"))
            if hasattr(time, "clock_gettime"):
                up = time.clock_gettime(7)  # CLOCK_BOOTTIME, which a container does not change
            else:
                up = float(read("/proc/uptime").split()[0])
            return time.time() - up + since_boot
        except (IndexError,) + GONE:
            return None

    def _command(self):
        """The program and what it was started with, without what may be a secret."""
        words, hide = [], False
        for word in self.arguments[:8]:
            if hide:
                word = "***"
            hide = word.startswith("-") and "=" not in word and SECRET.search(word) is not None
            name, equals, _ = word.partition("=")
            if equals and SECRET.search(name):
                word = name + "=***"
            words.append(re.sub(r"://[^/\s]*@", "://***@", word))
        return shown(" ".join(words))[:300]

    def path(self, name):
        return os.path.normpath(os.path.join(self.cwd, name))

    def started_with(self):
        """The zope.conf and the ini file on its command line, and the zope.conf that the ini names."""
        found, previous, given = {}, "", {}
        for word in self.arguments[1:]:
            option, _, value = word.partition("=")
            conf = value if option == "--configure" else word[2:] if word.startswith("-C") else ""
            if previous in ("-C", "--configure") or (word.endswith(".conf") and "=" not in word):
                conf = word
            if conf and os.path.isfile(self.path(conf)):
                found["zope_conf"] = self.path(conf)
            elif word.endswith(".ini") and os.path.isfile(self.path(word)):
                found["wsgi_ini"] = self.path(word)
            elif value and re.match(r"\w+$", option) and not SECRET.search(option):
                given[option] = shown(value)
            previous = word
        found["given"] = given
        if "wsgi_ini" in found and "zope_conf" not in found:
            named = self._named_by(found["wsgi_ini"], given)
            if named and os.path.isfile(named):
                found["zope_conf"] = named
        return found

    def _named_by(self, ini, given):
        text = read(ini)
        match = re.search(r"^zope_conf[ \t]*[=:][ \t]*(\S.*?)[ \t\r]*$", text, re.MULTILINE)
        if match is None:
            return None
        values = dict(re.findall(r"^(\w+)[ \t]*[=:][ \t]*(\S.*?)[ \t\r]*$", text, re.MULTILINE))
        values.update(given)
        values["here"] = os.path.dirname(ini)
        named = match.group(1)
        for _ in range(5):
            named = re.sub(r"%\((\w+)\)s", lambda one: values.get(one.group(1), one.group()), named)[:MAX_VALUE]
        return os.path.normpath(os.path.join(os.path.dirname(ini), named))

    # Its Python, and what that can import.

    def _prefix(self):
        """Where its Python is installed: a virtual environment is known by the path it was called by."""
        called = self.arguments[0] if self.arguments else ""
        if called and "/" not in called:
            folders = self.variables.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":")
            called = next((path for path in (os.path.join(one, called) for one in folders) if os.path.exists(path)), "")
        prefix = os.path.dirname(os.path.dirname(self.path(called))) if called else ""
        if prefix and os.path.exists(os.path.join(prefix, "pyvenv.cfg")):
            return prefix
        return os.path.dirname(os.path.dirname(self.program))

    def _version(self):
        """As exactly as can be told without running it."""
        if self.program and self.program == os.path.realpath(sys.executable):
            return "%d.%d.%d" % sys.version_info[:3]
        match = re.search(
            r"^version(?:_info)?\s*=\s*(\d+\.\d+(?:\.\d+)?)", read(self.prefix + "/pyvenv.cfg"), re.MULTILINE
        )
        match = match or re.search(r"/(\d+\.\d+\.\d+)/bin/", self.program)
        match = match or re.search(r"python(\d\.\d+)", self.program + read(self.folder + "maps", 4 * MAX_FILE))
        return match.group(1) if match else ""

    def distributions(self):
        """Names and versions of what it can import, found on the paths that it searches; and why they are not known."""
        found = {}
        for folder in self.folders():
            for name, version in distributions_in(folder):
                found.setdefault(re.sub(r"[-_.]+", "-", shown(name)).lower()[:100], shown(version)[:100])
            if len(found) > MAX_DISTRIBUTIONS:
                return None, "more than %d distributions" % MAX_DISTRIBUTIONS
        if not found:
            return None, "no distribution was found for process %d (%s)" % (self.pid, self._command()[:100])
        return found, ""

    def folders(self):
        """The folders that it imports from, in its order."""
        found = []
        options = [word for word in self.arguments[1:3] if word.startswith("-")]
        script = next((word for word in self.arguments[1:] if not word.startswith("-")), "")
        if "-m" in options:
            found.append(self.cwd)
        elif script and os.path.isfile(self.path(script)):
            # A script of buildout's lists its eggs; the interpreter that it starts another one with does so as well.
            for path in (self.path(script), self.path(self.arguments[0])):
                eggs = re.search(r"sys\.path\[0:0\] = \[(.*?)\]", read(path), re.DOTALL)
                found += re.findall(r"""['"]([^'"\n]+)['"]""", eggs.group(1)) if eggs else []
            found.append(os.path.dirname(self.path(script)))
        if not set(options) & {"-I", "-E"}:
            found += [self.path(one) for one in self.variables.get("PYTHONPATH", "").split(":") if one]
        found += self.site_folders()
        for path in re.findall(r"(/\S.*?\.so)$", read(self.folder + "maps", 4 * MAX_FILE), re.MULTILINE):
            match = re.match(r"(.*?/(?:site-packages|dist-packages|[^/]+\.egg))/", path)
            if match:
                found.append(match.group(1))
        done = []
        for folder in found:
            if folder not in done and len(done) < MAX_FOLDERS:
                done.append(folder)
                done += [one for one in linked_from(folder) if one not in done]
        return done

    def site_folders(self):
        short = ".".join(self.version.split(".")[:2])
        prefixes = [self.prefix]
        if re.search(r"(?im)^include-system-site-packages\s*=\s*true", read(self.prefix + "/pyvenv.cfg")):
            prefixes.append(os.path.dirname(os.path.dirname(self.program)))
        found = []
        for prefix in prefixes:
            names = ["lib/python%s" % short, "lib64/python%s" % short, "local/lib/python%s" % short]
            names += ["lib/python" + short[:1]] if prefix == "/usr" else []
            for name in names:
                found += [os.path.join(prefix, name, one) for one in ("site-packages", "dist-packages")]
        return [folder for folder in found if os.path.isdir(folder)]


def linked_from(folder):
    """What the .pth files of a folder add to the search path."""
    found = []
    for name in listed(folder):
        if name.endswith(".pth"):
            for line in read(os.path.join(folder, name), 65536).splitlines()[:500]:
                path = os.path.normpath(os.path.join(folder, line.strip()))
                if line.strip() and not line.startswith(("#", "import ", "import\t")) and os.path.isdir(path):
                    found.append(path)
    return found[:MAX_FOLDERS]


def listed(folder):
    try:
        return sorted(os.listdir(folder))[:20000]
    except GONE:
        return []


EGG = re.compile(r"(.+?)-([^-]+?)(?:-py\d[\d.]*(?:-.+)?)?\.egg$")
INFO = re.compile(r"(.+?)-([^-]+?)(?:-py\d[\d.]*(?:-.+)?)?\.(?:dist|egg)-info$")


def distributions_in(folder):
    """The distributions of one folder of the search path, or the one that this folder is."""
    egg = EGG.match(os.path.basename(folder))
    if egg:
        yield egg.groups()
    for name in listed(folder):
        info = INFO.match(name)
        if info and not name.startswith("~"):
            yield info.groups()
        elif name.endswith(".egg-info"):
            version = re.search(r"^Version:\s*(\S+)", read(os.path.join(folder, name, "PKG-INFO"), 65536), re.MULTILINE)
            yield name[: -len(".egg-info")], version.group(1) if version else "?"


# --- peers: names, servers and folders ---------------------------------------------------------------


def peers(request, answer):
    answer["servers"], answer["folders"] = {}, {}
    for path in request["folders"]:
        answer["folders"][path] = folder_seen(path)
    threads = []
    for key, server in request["servers"].items():
        thread = threading.Thread(target=dial_into, args=(answer["servers"], key, server, request["wait"]))
        thread.daemon = True
        threads.append(thread)
    for at in range(0, len(threads), 8):
        for thread in threads[at : at + 8]:
            thread.start()
        for thread in threads[at : at + 8]:
            thread.join(3 * request["wait"])


def dial_into(answers, key, server, wait):
    try:
        answers[key] = dial(server, wait)
    except Exception as error:
        answers[key] = {"outcome": "unreachable", "detail": why(error), "addresses": []}


def dial(server, wait):
    """Connect, and read a ZEO server's greeting; nothing is sent to it."""
    if server.get("path"):
        return greeted(socket.AF_UNIX, server["path"], False, wait)
    try:
        infos = socket.getaddrinfo(server["host"], server["port"], 0, socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        return {"outcome": "no-such-name", "detail": why(error), "addresses": []}
    order = ("answers", "accepts", "something-else", "silent", "refused", "unreachable")
    tried = [greeted(info[0], info[4], server.get("tls"), wait) for info in infos[:4]]
    best = min(tried, key=lambda one: order.index(one["outcome"]))
    best["addresses"] = sorted({shown(info[4][0]) for info in infos})[:20]
    return best


def greeted(family, target, tls, wait):
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(wait)
    connected = False
    try:
        connection.connect(target)
        connected = True
        if tls:
            return {"outcome": "accepts", "detail": ""}
        # Four bytes of length, then the protocol: Z5, M5, Z310.
        data = b""
        while len(data) < 6:
            part = connection.recv(64)
            if not part:
                break
            data += part
    except socket.timeout:
        detail = "accepts the connection and says nothing" if connected else "does not answer the connect"
        return {"outcome": "silent", "detail": "%s within %g s" % (detail, wait)}
    except GONE as error:
        refused = getattr(error, "errno", None) == errno.ECONNREFUSED
        return {"outcome": "refused" if refused else "unreachable", "detail": why(error)}
    finally:
        connection.close()
    hello = data[4:12].decode("ascii", "replace")
    if data[:3] == b"\0\0\0" and re.match(r"[ZM]\d+$", hello):
        return {"outcome": "answers", "detail": "", "protocol": hello}
    return {"outcome": "something-else", "detail": "its greeting is no ZEO server's" if data else "closes at once"}


def folder_seen(path):
    try:
        found = os.stat(path)
        if not stat.S_ISDIR(found.st_mode):
            return {"why": "is no folder"}
        space = os.statvfs(path)
    except GONE as error:
        return {"why": why(error)}
    layout = read(os.path.join(path, ".layout"), 100).strip()
    free = space.f_bavail * space.f_frsize
    return {"device": found.st_dev, "inode": found.st_ino, "layout": shown(layout)[:50], "free_bytes": free}


def own_addresses():
    """The addresses of this machine's interfaces, loopback left out, as Linux lists them."""
    found = re.findall(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL", read("/proc/net/fib_trie"))
    for line in read("/proc/net/if_inet6").splitlines():
        found.append(socket.inet_ntop(socket.AF_INET6, base64.b16decode(line[:32].upper())))
    return sorted({one for one in found if not one.startswith("127.") and one != "::1"})[:50]


# --- hold and seek: is a folder of shared blobs one folder? ------------------------------------------


def places_for(folder, name):
    """Where the file of this name is put: ZODB's own folder for what is not yet stored, else the folder itself."""
    return [os.path.join(folder, "tmp", name), os.path.join(folder, name)]


def hold(request, answer):
    """Make the file, say so, and keep it for a few seconds, or until nobody listens any more."""
    held, answer["folders"] = [], {}
    try:
        for folder in request["folders"]:
            try:
                for path in places_for(folder, "")[:1]:
                    remove_old(path)
                path = next(one for one in places_for(folder, request["name"]) if os.path.isdir(os.path.dirname(one)))
                descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
                held.append(path)
                os.write(descriptor, request["text"].encode("ascii"))
                os.close(descriptor)
                answer["folders"][folder] = {"held": True}
            except (StopIteration,) + GONE as error:
                answer["folders"][folder] = {"held": False, "why": why(error) or "is no folder"}
        tell(request, answer)
        end = time.time() + (request["hold"] if held else 0)
        while time.time() < end:
            time.sleep(0.1)
            write("\n")  # fails, and ends this, once nobody reads
    except (SystemExit,) + GONE:
        pass
    finally:
        for path in held:
            try:
                os.unlink(path)
            except GONE:
                pass


def remove_old(folder):
    """What a machine that lost its power in these few seconds has left; it is an hour old and ours."""
    for name in listed(folder):
        if re.match(r"zcheck-[0-9a-f]+\.marker$", name):
            found = _stat(os.path.join(folder, name))
            if found and found.st_uid == os.geteuid() and time.time() - found.st_mtime > 3600:
                os.unlink(os.path.join(folder, name))


def seek(request, answer):
    """Look for the file of another machine in each of these folders."""
    answer["folders"] = {}
    for folder in request["folders"]:
        found = {"seen": False}
        for path in places_for(folder, request["name"]):
            try:
                with open(path, "rb") as file:
                    found = {"seen": file.read(200) == request["text"].encode("ascii")}
                break
            except GONE as error:
                if getattr(error, "errno", None) not in (errno.ENOENT, errno.ENOTDIR):
                    found = {"why": why(error)}
        if not os.path.isdir(folder) and "why" not in found:
            found = {"why": "is no folder there"}
        answer["folders"][folder] = found


# --- caches: what a ZEO client keeps on disk ---------------------------------------------------------

MAX_BLOCKS = 2000000
EIGHT_ZEROS = b"\0" * 8


def caches(request, answer):
    """The newest current records of each cache file, and others from all over it; or those that are asked for."""
    answer["caches"] = {}
    files = sorted(request["caches"].items())
    for path, wanted in files:
        end = time.time() + 0.8 * request["seconds"] / len(files)
        found = {}
        for _ in range(3):
            # The client goes on writing, and no lock is taken: what cannot be followed is begun again.
            try:
                found = cache_read(path, set(wanted), int(request["most"]), end)
            except (struct.error,) + GONE as error:
                found = {"why": why(error), "missing": getattr(error, "errno", 0) == errno.ENOENT}
            if "why" not in found or found["missing"]:
                break
            time.sleep(0.05)
        answer["caches"][path] = found


def cache_read(path, wanted, most, end):
    """Follow the blocks of one file (ZEO/cache.py); the last transaction is read before any of them."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb", 512) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("is no regular file")
        if file.read(4) != b"ZEC3":
            raise ValueError("is no cache file of a format that zcheck knows")
        last, at, current, count, blocks = file.read(8), 12, [], 0, 0
        while at < found.st_size and blocks < MAX_BLOCKS and time.time() < end:
            file.seek(at)
            status = file.read(1)
            blocks += 1
            if status == b"a":
                size, oid, start, until, version, length = struct.unpack(">I8s8s8sHI", file.read(34))
                if size < 43 + length or at + size > found.st_size:
                    raise ValueError("changed while it was read")
                if until == EIGHT_ZEROS and not version:
                    file.seek(at + 35 + length)
                    if file.read(8) != oid:
                        raise ValueError("changed while it was read")
                    count += 1
                    entry = (as_hex(start), as_hex(oid))
                    if not wanted or entry[1] in wanted:
                        current.append(entry)
            elif status == b"f":
                (size,) = struct.unpack(">I", file.read(4))
            elif status in (b"1", b"2", b"3", b"4"):
                size = int(status)
            else:
                raise ValueError("changed while it was read")
            if size < 1:
                raise ValueError("changed while it was read")
            at += size
    current.sort(reverse=True)
    newest, rest = current[: most // 2], current[most // 2 :]
    step = max(1, -(-len(rest) // max(1, most - len(newest))))
    return {"last": as_hex(last), "current": count, "entries": [[oid, tid] for tid, oid in newest + rest[::step]]}


def as_hex(data):
    return base64.b16encode(data).decode("ascii").lower()
