# SPDX-License-Identifier: ISC
"""What a program did to the files of a folder, as strace saw it, and the folders that a power cut at
any moment of it could have left behind.

A disk keeps what was synced before the cut. Of the rest it keeps what it likes: each write or not, some
sectors of a write, a size without the data. Changes of folders come in their order, as journalling file
systems have them, but only a sync of the folder makes sure of them."""
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
CALLS = ("openat,open,creat,pwrite64,pwritev,pwritev2,write,writev,lseek,ftruncate,truncate,fallocate,fdatasync,fsync,"
         "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,sendto,sendmsg")
STRACE = ["strace", "-f", "-y", "-xx", "-qq", "--signal=none", "-s", "4000000", "-e", f"trace={CALLS}"]


@dataclass
class Change:
    """One thing that was done, and since when it cannot be undone (a place in the recording)."""
    kind: str  # write, size; or of a folder: create, mkdir, rename, unlink, rmdir
    begun: int
    done: int
    file: int = -1  # which file: a number, because names change
    offset: int = 0
    data: bytes = b""
    path: str = ""
    other: str = ""
    safe: float = float("inf")


def _text(hexed):
    return bytes.fromhex(hexed.replace("\\x", ""))


def _calls(trace):
    """(begun, done, name, arguments, result) of each call, in the order of their ends. Begun and done are
    line numbers."""
    open_calls = {}
    line_form = re.compile(r"^(\d+) +(.*)$")
    for number, line in enumerate(trace):
        found = line_form.match(line)
        if not found:
            continue
        pid, text = found.groups()
        begun = number
        if text.endswith("<unfinished ...>"):
            open_calls[pid] = (number, text[:-len("<unfinished ...>")])
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>", text)
        if resumed:
            if pid not in open_calls:
                continue
            begun, start = open_calls.pop(pid)
            text = start.rstrip() + text[resumed.end():]
        call = re.match(r"(\w+)\((.*)\) += (-?\d+|\?)(.*)$", text)
        if call:
            yield begun, number, call[1], call[2], call[3], call[4]


class Recording:
    """Read it with `read`; then ask for what could be left."""

    def __init__(self, folder, base):
        """`folder`: what was watched, by its real name; `base`: a copy of it from before."""
        self.folder, self.base = str(folder), Path(base)
        self.changes, self.said = [], []  # said: (place, bytes) that went to a socket
        self.files, self.count = {}, 0
        self.base_files = {}
        for path in sorted(self.base.rglob("*")):
            if path.is_file() and not path.is_symlink():
                self.base_files[self.count] = str(path.relative_to(self.base))
                self.files[str(path.relative_to(self.base))] = self._new_file()
        self._unsynced, self._unsynced_names = {}, []
        self._places = {}  # of open files, as lseek set them and writev moved them

    def _new_file(self):
        self.count += 1
        return self.count - 1

    def _inside(self, path):
        """The name below the folder, or None."""
        path = os.path.normpath(path.removesuffix(" (deleted)"))
        if path == self.folder:
            return ""
        return path[len(self.folder) + 1:] if path.startswith(self.folder + "/") else None

    def read(self, trace_path):
        with open(trace_path, encoding="ascii", errors="replace") as trace:
            for begun, done, name, arguments, result, rest in _calls(trace):
                if result == "?" or int(result) < 0:
                    continue
                handler = getattr(self, "_" + name, None)
                if handler:
                    handler(begun, done, arguments, int(result) if name == "lseek" else rest)
        self.end = max([c.done for c in self.changes] + [place for place, _ in self.said]) + 1
        return self

    # ---- calls

    _descriptor = re.compile(r"^(?:\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*|[^>]*)>")
    _string = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')

    def _path_of(self, text):
        found = self._descriptor.match(text)
        if not found:
            return ""
        path = found[1]
        return _text(path).decode() if path.startswith("\\x") else path

    def _write_call(self, begun, done, arguments, offset, is_synced):
        path = self._inside(self._path_of(arguments))
        data = b"".join(_text(piece) for piece in self._string.findall(arguments))
        if path is None:
            self.said.append((begun, data))
            return
        if path not in self.files:
            return  # it has no name any more
        descriptor = arguments.split(">", 1)[0]
        if offset is None:
            offset = self._places[descriptor]
            self._places[descriptor] += len(data)
        change = Change("write", begun, done, file=self.files[path], offset=offset, data=data)
        if is_synced:
            change.safe = done
        else:
            self._unsynced.setdefault(change.file, []).append(change)
        self.changes.append(change)

    def _pwrite64(self, begun, done, arguments, _):
        self._write_call(begun, done, arguments, int(arguments.rsplit(", ", 1)[1]), False)

    def _pwritev(self, begun, done, arguments, _):
        self._write_call(begun, done, arguments, int(arguments.rsplit(", ", 1)[1]), False)

    def _pwritev2(self, begun, done, arguments, _):
        offset, flags = arguments.rsplit(", ", 2)[1:]
        self._write_call(begun, done, arguments, int(offset), "DSYNC" in flags or "RWF_SYNC" in flags)

    def _write(self, begun, done, arguments, _):
        self._write_call(begun, done, arguments, None, False)

    _writev = _sendto = _sendmsg = _write

    def _lseek(self, _begun, _done, arguments, result):
        self._places[arguments.split(">", 1)[0]] = result

    def _size(self, begun, done, arguments, size):
        path = self._inside(self._path_of(arguments))
        if path in self.files:
            change = Change("size", begun, done, file=self.files[path], offset=size)
            self._unsynced.setdefault(change.file, []).append(change)
            self.changes.append(change)

    def _ftruncate(self, begun, done, arguments, _):
        self._size(begun, done, arguments, int(arguments.rsplit(", ", 1)[1]))

    def _fallocate(self, begun, done, arguments, _):
        mode, offset, length = arguments.rsplit(", ", 3)[1:]
        assert mode == "0", f"fallocate with mode {mode}"
        self._size(begun, done, arguments, -(int(offset) + int(length)))  # never shorter

    def _fdatasync(self, begun, done, arguments, _):
        path = self._inside(self._path_of(arguments))
        if path is None:
            return
        for change in self._unsynced.get(self.files.get(path), []):
            if change.done < begun:
                change.safe = min(change.safe, done)
        for change in self._unsynced_names:
            if change.done < begun and os.path.dirname(change.path) == path and path not in self.files:
                change.safe = min(change.safe, done)
        self._unsynced_names = [c for c in self._unsynced_names if c.safe > done]
        if path in self.files:
            self._unsynced[self.files[path]] = [c for c in self._unsynced.get(self.files[path], [])
                                                if c.safe > done]

    _fsync = _fdatasync

    def _names(self, arguments):
        """The paths of a call, each taken below the descriptor before it."""
        below, found = "", []
        for piece in re.finditer(r'(?:\d+|AT_FDCWD)<[^>]*>|"(?:\\x[0-9a-f]{2})*"', arguments):
            if piece[0][0] == '"':
                found.append(os.path.join(below, _text(piece[0][1:-1]).decode(errors="replace")))
            else:
                below = self._path_of(piece[0])
        return [self._inside(path) for path in found]

    def _change_names(self, kind, begun, done, path, other="", file=-1):
        change = Change(kind, begun, done, file=file, path=path, other=other)
        self._unsynced_names.append(change)
        self.changes.append(change)

    def _openat(self, begun, done, arguments, rest):
        found = re.match(r"<(.*)>", rest)
        if "O_CREAT" not in arguments and "O_TRUNC" not in arguments or not found:
            return
        path = found[1]
        path = self._inside(_text(path).decode() if path.startswith("\\x") else path)
        if path is None or "O_TMPFILE" in arguments:
            return
        assert "O_TRUNC" not in arguments or path not in self.files, f"{path} was cut"
        if path not in self.files:
            self.files[path] = self._new_file()
            self._change_names("create", begun, done, path, file=self.files[path])

    _open = _creat = _openat

    def _renameat(self, begun, done, arguments, _):
        old, new = self._names(arguments)
        if old is None or new is None:
            return
        for path in [p for p in self.files if p == old or p.startswith(old + "/")]:
            self.files[new + path[len(old):]] = self.files.pop(path)
        self._change_names("rename", begun, done, new, old)

    _rename = _renameat2 = _renameat

    def _unlinkat(self, begun, done, arguments, _):
        path = self._names(arguments)[0]
        if path is not None:
            self._change_names("rmdir" if "AT_REMOVEDIR" in arguments else "unlink", begun, done, path,
                               file=self.files.pop(path, -1))

    _unlink = _unlinkat

    def _mkdirat(self, begun, done, arguments, _):
        path = self._names(arguments)[0]
        if path is not None:
            self._change_names("mkdir", begun, done, path)

    _mkdir = _mkdirat

    def _rmdir(self, begun, done, arguments, _):
        path = self._names(arguments)[0]
        if path is not None:
            self._change_names("rmdir", begun, done, path)

    def _linkat(self, _begun, _done, arguments, _):
        assert all(path is None for path in self._names(arguments)), "hard links are not modelled"

    _link = _linkat

    # ---- a cut

    def leave(self, place, target, chance):
        """Writes into the new folder `target` what a cut at `place` may leave: `chance` (random.Random)
        decides; None leaves all that was done, 0 only what was synced."""
        shutil.copytree(self.base, target, symlinks=True)
        _own(self.base, target)
        kept = [c for c in self.changes if c.begun < place]
        names = [c for c in kept if c.file < 0 or c.kind in ("create", "unlink")]
        sure = max([i + 1 for i, c in enumerate(names) if c.safe < place], default=0)
        finished = max([i + 1 for i, c in enumerate(names) if c.done < place], default=0)
        if chance is None:
            sure = finished
        elif chance:
            sure = chance.randint(sure, len(names))
        contents = self._contents(kept, place, chance)
        self._apply_names(Path(target), names[:sure], contents)

    def _contents(self, kept, place, chance):
        """The octets of each file, as bytearrays."""
        contents = {number: bytearray((self.base / name).read_bytes())
                    for number, name in self.base_files.items()}
        for change in kept:
            if change.kind not in ("write", "size"):
                continue
            content = contents.setdefault(change.file, bytearray())
            is_sure = change.safe < place or (chance is None and change.done < place)
            if not is_sure and not chance:
                continue
            if change.kind == "size":
                if is_sure or chance.random() < 0.5:
                    _resize(content, change.offset)
                continue
            for offset, data in [(change.offset, change.data)] if is_sure else _torn(change, chance):
                if len(content) < offset:
                    content.extend(bytes(offset - len(content)))
                content[offset:offset + len(data)] = data
        return contents

    def _apply_names(self, target, names, contents):
        files = {name: number for number, name in self.base_files.items()}
        for change in names:
            path = target / change.path
            if change.kind == "create":
                files[change.path] = change.file
            elif change.kind == "mkdir":
                path.mkdir()
                _like_parent(path, 0o700)
            elif change.kind == "rmdir":
                path.rmdir()
            elif change.kind == "unlink":
                files.pop(change.path, None)
                path.unlink(missing_ok=True)
            else:
                os.replace(target / change.other, path) if (target / change.other).exists() else None
                for name in [n for n in files if n == change.other or n.startswith(change.other + "/")]:
                    files[change.path + name[len(change.other):]] = files.pop(name)
        for name, number in files.items():
            path = target / name
            is_new = not path.exists()
            with open(path, "r+b" if not is_new else "w+b") as file:
                file.truncate(0)
                file.write(contents.get(number, b""))
            if is_new:
                _like_parent(path, 0o600)


def _torn(change, chance):
    """Some sectors of a write, all or none."""
    how = chance.random()
    if how < 0.3:
        return []
    if how < 0.6:
        return [(change.offset, change.data)]
    pieces, at = [], 0
    while at < len(change.data):
        step = SECTOR - (change.offset + at) % SECTOR
        if chance.random() < 0.5:
            pieces.append((change.offset + at, change.data[at:at + step]))
        at += step
    return pieces


def _resize(content, size):
    """A negative size is one that only makes longer."""
    if size >= 0:
        del content[size:]
    content.extend(bytes(max(0, abs(size) - len(content))))


def _like_parent(path, mode):
    owner = path.parent.stat()
    os.chown(path, owner.st_uid, owner.st_gid)
    os.chmod(path, mode)


def _own(source, target):
    """Owners, which copytree does not keep."""
    for path in [source, *source.rglob("*")]:
        status = path.lstat()
        os.chown(target / path.relative_to(source), status.st_uid, status.st_gid, follow_symlinks=False)
