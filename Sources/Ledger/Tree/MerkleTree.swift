import Federation
import Identity

/// The append-only hash tree of RFC 6962, section 2.
///
/// Leaf = SHA-256(0x00 ‖ entry), node = SHA-256(0x01 ‖ left ‖ right), empty = SHA-256("").
/// Keeps the hash of every complete subtree, 64 bytes per entry, so that roots and proofs take logarithmic time.
public struct MerkleTree: Sendable {
    /// levels[k][i]: the root of the complete subtree with the 2^k leaves from i·2^k on.
    private var levels: [[Digest]] = [[]]

    /// Makes a tree without leaves.
    public init() {}

    public var count: Int { levels[0].count }

    /// Returns the leaf hash of the entry at `index`.
    ///
    /// - Parameter index: The position of the entry, from 0; it must exist.
    public func leaf(at index: Int) -> Digest { levels[0][index] }

    /// Computes an entry's leaf hash, SHA-256(0x00 ‖ entry).
    ///
    /// - Parameter entry: The entry's bytes.
    public static func leafHash(_ entry: [UInt8]) -> Digest { Digest(of: [0] + entry) }
    /// Computes an inner node's hash, SHA-256(0x01 ‖ left ‖ right).
    ///
    /// - Parameters:
    ///   - left: The hash of the left subtree.
    ///   - right: The hash of the right subtree.
    public static func nodeHash(_ left: Digest, _ right: Digest) -> Digest {
        Digest(of: [1] + left.bytes + right.bytes)
    }

    /// Appends a leaf.
    ///
    /// - Parameter leaf: The entry's leaf hash.
    public mutating func append(leaf: Digest) {
        var hash = leaf
        var level = 0
        levels[0].append(hash)
        while levels[level].count.isMultiple(of: 2) {
            hash = Self.nodeHash(levels[level][levels[level].count - 2], hash)
            level += 1
            if level == levels.count { levels.append([]) }
            levels[level].append(hash)
        }
    }

    public var root: Digest { root(size: count) }

    /// Returns the root that the tree had when it held `size` leaves.
    ///
    /// - Parameter size: A number of leaves, from 0 to ``count``.
    /// - Returns: The root; for no leaves, the SHA-256 of no bytes.
    public func root(size: Int) -> Digest {
        precondition(size <= count)
        return size == 0 ? Digest(of: []) : hash(0..<size)
    }

    /// PATH(index, D[size]) of the RFC: the hashes from the leaf's sibling up to the root.
    ///
    /// - Parameters:
    ///   - index: The position of the leaf, from 0; less than `size`.
    ///   - size: The number of leaves of the tree that the proof is for, at most ``count``.
    /// - Returns: The hashes, at most ⌈log₂ size⌉ of them; none for a tree of one leaf.
    public func inclusionProof(of index: Int, size: Int) -> [Digest] {
        precondition(index < size && size <= count)
        var proof: [Digest] = []
        var range = 0..<size
        while range.count > 1 {
            let middle = range.lowerBound + Self.split(range.count)
            if index < middle {
                proof.append(hash(middle..<range.upperBound))
                range = range.lowerBound..<middle
            } else {
                proof.append(hash(range.lowerBound..<middle))
                range = middle..<range.upperBound
            }
        }
        return proof.reversed()
    }

    /// Returns the root that `proof` computes from the leaf at `index` in a tree of `size` leaves; `nil` if the proof
    /// has the wrong length, or there is no such leaf.
    ///
    /// - Parameters:
    ///   - leaf: The entry's leaf hash.
    ///   - index: The position of the leaf, from 0.
    ///   - size: The number of leaves of the tree.
    ///   - proof: The hashes, as ``inclusionProof(of:size:)`` returns them.
    public static func root(of leaf: Digest, at index: Int, size: Int, proof: [Digest]) -> Digest? {
        guard index >= 0, index < size else { return nil }
        var range = 0..<size
        var sides: [Bool] = []
        while range.count > 1 {
            let middle = range.lowerBound + split(range.count)
            sides.append(index < middle)
            range = index < middle ? range.lowerBound..<middle : middle..<range.upperBound
        }
        guard sides.count == proof.count else { return nil }
        return zip(sides.reversed(), proof).reduce(leaf) { hash, step in
            step.0 ? nodeHash(hash, step.1) : nodeHash(step.1, hash)
        }
    }

    /// Returns the largest power of two below `count`.
    static func split(_ count: Int) -> Int { 1 << (Int.bitWidth - 1 - (count - 1).leadingZeroBitCount) }

    func hash(_ range: Range<Int>) -> Digest {
        let size = range.count
        if size & (size - 1) == 0, range.lowerBound.isMultiple(of: size) {
            return levels[size.trailingZeroBitCount][range.lowerBound / size]
        }
        let middle = range.lowerBound + Self.split(size)
        return Self.nodeHash(hash(range.lowerBound..<middle), hash(middle..<range.upperBound))
    }
}
