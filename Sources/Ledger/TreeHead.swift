import Federation
import Foundation
import Identity

/// How many entries a ledger holds, and the root of their tree.
public struct TreeHead: Equatable, Sendable {
    /// `<consortium>/ledger`
    public let origin: String
    public let size: Int
    public let root: Digest
    /// The latest of all entries, which a corrected clock does not put back: whether a head is older than the
    /// declaration of a loss can be told from it alone. `nil` in an empty ledger, and in the notes of earlier versions.
    public let time: Timestamp?

    public init(origin: String, size: Int, root: Digest, time: Timestamp? = nil) {
        self.origin = origin
        self.size = size
        self.root = root
        self.time = time
    }

    /// The body of a C2SP tlog-checkpoint; the time is an extension line.
    var body: String {
        "\(origin)\n\(size)\n\(Data(root.bytes).base64EncodedString())\n"
            + (time.map { "\(Self.timePrefix)\($0.milliseconds)\n" } ?? "")
    }

    static let timePrefix = "time "

    /// Whether the loss of a history up to `lost`, declared at `declared`, explains why a ledger does not go on from
    /// this head: only what was written before the declaration is explained by it, also where others have seen more of
    /// it than those who were asked; and of heads without a time, what is no longer than `lost`.
    public func isExplained(byLossOf lost: TreeHead, declaredAt declared: Timestamp) -> Bool {
        time.map { $0 < declared } ?? (size <= lost.size)
    }
}

/// A tree head as a signed note (C2SP signed-note, tlog-checkpoint), Ed25519.
public struct SignedTreeHead: Equatable, Sendable {
    public let head: TreeHead
    /// The whole note.
    public let note: String

    public static func origin(consortium: String) -> String { "\(consortium)/ledger" }

    public init(_ head: TreeHead, key: PrivateKey) throws {
        self.head = head
        let publicKey = try key.publicKey.ed25519Bytes()
        let signature = try key.sign(Array(head.body.utf8))
        let blob = Data(Self.keyID(head.origin, publicKey) + signature).base64EncodedString()
        note = "\(head.body)\n— \(head.origin) \(blob)\n"
    }

    /// Reads a note and checks the signature of the log's key.
    public init(note: String, origin: String, key: [UInt8]) throws(LedgerError) {
        let parts = note.components(separatedBy: "\n\n")
        guard note.utf8.count <= 4096, parts.count == 2 else {
            throw LedgerError(.malformed, "a tree head is not a signed note")
        }
        let body = parts[0] + "\n"
        let lines = parts[0].components(separatedBy: "\n")
        guard (3...4).contains(lines.count), lines[0] == origin, let size = Int(lines[1]), size >= 0,
            String(size) == lines[1],
            let rootBytes = Data(base64Encoded: lines[2]), let root = Digest(Array(rootBytes))
        else { throw LedgerError(.malformed, "a tree head does not have the lines of a checkpoint") }
        let time = lines.count == 4 ? Self.time(lines[3]) : nil
        guard lines.count == 3 || time != nil else {
            throw LedgerError(.malformed, "a tree head has a line that is no time")
        }
        head = TreeHead(origin: origin, size: size, root: root, time: time)
        self.note = note
        guard head.body == body, Self.isSigned(body, by: key, origin: origin, signatures: parts[1]) else {
            throw LedgerError(.badSignature, "the signature of the tree head of size \(size) is wrong")
        }
    }

    /// `body` is compared with what was read: only one spelling passes.
    private static func time(_ line: String) -> Timestamp? {
        guard line.hasPrefix(TreeHead.timePrefix) else { return nil }
        return UInt64(line.dropFirst(TreeHead.timePrefix.count)).map(Timestamp.init(milliseconds:))
    }

    private static func isSigned(_ body: String, by key: [UInt8], origin: String, signatures: String) -> Bool {
        guard let publicKey = try? PublicKey(ed25519: key), signatures.hasSuffix("\n") else { return false }
        let prefix = "— \(origin) "
        let lines = signatures.dropLast().components(separatedBy: "\n")
        guard lines.count == 1, lines[0].hasPrefix(prefix),
            let blob = Data(base64Encoded: String(lines[0].dropFirst(prefix.count)))
        else { return false }
        // Base64 has spare bits at its end: only one spelling of a note is the note.
        return blob.count == 68 && lines[0] == prefix + blob.base64EncodedString()
            && Array(blob.prefix(4)) == keyID(origin, key)
            && publicKey.isValid(Array(blob.dropFirst(4)), for: Array(body.utf8))
    }

    /// First four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key): 0x01 is Ed25519.
    private static func keyID(_ name: String, _ key: [UInt8]) -> [UInt8] {
        Array(Digest(of: Array(name.utf8) + [0x0a, 0x01] + key).bytes.prefix(4))
    }
}
