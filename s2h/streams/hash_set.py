"""A set of texts in little memory, to notice repeated ids among millions of records."""

from __future__ import annotations

from array import array


class HashSet:
    """The 8-byte hashes of texts in one flat table that is at most half full: 16 to 32 bytes a text, where a Python set
    takes 100. Two texts with equal hashes count as the same."""

    def __init__(self) -> None:
        self.count, self.mask, self.table = 0, 1023, array("Q", bytes(8 * 1024))

    def add(self, text: str) -> bool:
        """Add a text and return whether it was new."""
        if 2 * self.count > self.mask:
            old, self.mask = self.table, 2 * self.mask + 1
            self.table, self.count = array("Q", bytes(8 * (self.mask + 1))), 0
            for key in old:
                if key:
                    self._place(key)
        key = hash(text) & 0xFFFFFFFFFFFFFFFF or 1
        slot = key & self.mask
        if self.table[slot]:
            return self._place(key)
        self.table[slot] = key
        self.count += 1
        return True

    def _place(self, key: int) -> bool:
        table, mask = self.table, self.mask
        slot = key & mask
        while table[slot]:
            if table[slot] == key:
                return False
            slot = (slot + 1) & mask
        table[slot] = key
        self.count += 1
        return True
