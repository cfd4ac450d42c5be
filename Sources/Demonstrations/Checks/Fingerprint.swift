/// A non-cryptographic hash (a variant of FNV-1a over 64-bit words). It distinguishes different data, but collisions
/// can be made on purpose.
struct Fingerprint {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        let words = bytes.count / 8
        for word in 0..<words { mix(bytes.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self)) }
        for byte in bytes[(8 * words)...] { mix(UInt64(byte)) }
        mix(UInt64(bytes.count))
    }

    private mutating func mix(_ word: UInt64) {
        value = (value ^ word) &* 0x100_0000_01b3
        value ^= value >> 32
    }
}
