import Federation

/// Consistency proofs (RFC 9162, sections 2.1.4.1 and 2.1.4.2), which show that an earlier tree is a prefix of this
/// one.
extension MerkleTree {
    /// Returns the hashes that lead from the root over the first `size` leaves to the current root; empty if `size` is
    /// 0 or the current size.
    ///
    /// - Parameter size: The number of leaves of the earlier tree, from 0 to ``count``.
    public func consistencyProof(from size: Int) -> [Digest] {
        precondition(size <= count)
        return size == 0 || size == count ? [] : subproof(size, 0..<count, isWhole: true)
    }

    /// SUBPROOF(m, D[n], b) of the RFC; `size` counts from the start of `range`.
    private func subproof(_ size: Int, _ range: Range<Int>, isWhole: Bool) -> [Digest] {
        guard size < range.count else { return isWhole ? [] : [hash(range)] }
        let half = Self.split(range.count)
        let middle = range.lowerBound + half
        return size <= half
            ? subproof(size, range.lowerBound..<middle, isWhole: isWhole) + [hash(middle..<range.upperBound)]
            : subproof(size - half, middle..<range.upperBound, isWhole: false) + [hash(range.lowerBound..<middle)]
    }

    /// Whether `proof` shows that the tree of `earlier` is a prefix of the tree of `later`.
    ///
    /// - Parameters:
    ///   - earlier: The head of the shorter tree.
    ///   - later: The head of the longer tree, of the same origin; it may be the same head, with an empty proof.
    ///   - proof: The hashes, as ``consistencyProof(from:)`` returns them.
    public static func isConsistent(_ earlier: TreeHead, _ later: TreeHead, proof: [Digest]) -> Bool {
        guard earlier.origin == later.origin, earlier.size <= later.size else { return false }
        if earlier.size == later.size { return earlier.root == later.root && proof.isEmpty }
        if earlier.size == 0 { return proof.isEmpty }
        var hashes = proof[...]
        // If the earlier size is a power of two, the proof omits the earlier root.
        if earlier.size & (earlier.size - 1) == 0 { hashes = [earlier.root] + hashes }
        guard let first = hashes.popFirst() else { return false }
        var (place, last) = (earlier.size - 1, later.size - 1)
        while place & 1 == 1 { (place, last) = (place >> 1, last >> 1) }
        var (old, new) = (first, first)
        for hash in hashes {
            guard last > 0 else { return false }
            if place & 1 == 1 || place == last {
                (old, new) = (nodeHash(hash, old), nodeHash(hash, new))
                while place & 1 == 0, place > 0 { (place, last) = (place >> 1, last >> 1) }
            } else {
                new = nodeHash(new, hash)
            }
            (place, last) = (place >> 1, last >> 1)
        }
        return last == 0 && old == earlier.root && new == later.root
    }
}
