import Federation
import Identity

/// Records in a small file beside a partial blob how much of the blob is durable.
///
/// The two slots, each with a checksum, are written alternately: if a power failure tears a write, the other slot is
/// valid.
final class DurabilityRecord: @unchecked Sendable {
    // Unchecked: only one thread at a time makes a spool durable.
    struct Record: Equatable {
        let durableBytes: UInt64
        let bootID: String
    }

    private let file: any DiskFile
    private var turn: UInt64 = 0

    static let slotBytes = 256

    private static let suffix = ".durable"
    static func path(_ partial: String) -> String { partial + suffix }
    /// Returns the name of the blob that a file is the record of; `nil` if it is no record.
    static func blob(of name: String) -> String? {
        name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : nil
    }

    init(beside partial: String, _ disk: any Disk) throws {
        file = try disk.open(Self.path(partial), .updating)
    }

    /// `nil` if there is no valid record: then none of the blob's bytes count.
    var newest: Record? {
        get throws {
            let records = try (0..<2).compactMap { try record(in: $0) }
            turn = (records.map(\.turn).max() ?? 0) + 1
            return records.max { $0.turn < $1.turn }?.record
        }
    }

    private func record(in slot: UInt64) throws -> (turn: UInt64, record: Record)? {
        let bytes = try [UInt8](unsafeUninitializedCapacity: Self.slotBytes) { buffer, count in
            count = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: slot * UInt64(Self.slotBytes))
        }
        guard bytes.count == Self.slotBytes else { return nil }
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        guard words.count == 4, let turn = UInt64(words[0]), turn < .max / 2, let count = UInt64(words[1]),
            words[3] == Self.checksum("\(words[0]) \(words[1]) \(words[2])")
        else { return nil }
        return (turn, Record(durableBytes: count, bootID: String(words[2])))
    }

    /// Writes a record.
    ///
    /// - Parameter isDurable: Whether it must be durable when this returns.
    func write(_ durableBytes: UInt64, bootID: String, isDurable: Bool = true) throws {
        let body = "\(turn) \(durableBytes) \(bootID)"
        var bytes = Array("\(body) \(Self.checksum(body)) ".utf8)
        precondition(bytes.count <= Self.slotBytes)
        bytes += [UInt8](repeating: UInt8(ascii: " "), count: Self.slotBytes - bytes.count)
        try bytes.withUnsafeBytes { try file.write($0, at: turn % 2 * UInt64(Self.slotBytes)) }
        if isDurable { try file.synchronise() }
        turn += 1
    }

    private static func checksum(_ text: String) -> String { String(Digest(of: Array(text.utf8)).hex.prefix(16)) }
}
