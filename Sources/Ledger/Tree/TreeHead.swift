import Federation
import Foundation
import Identity

/// The number of entries in a ledger and the root of their Merkle tree.
public struct TreeHead: Equatable, Sendable {
    /// `<consortium>/ledger`
    public let origin: String
    public let size: Int
    public let root: Digest
    /// The latest time of all entries, which a corrected clock does not put back. It is enough to decide whether a head
    /// is older than the declaration of a loss. `nil` for an empty ledger and for notes of earlier versions.
    public let time: Timestamp?

    /// Makes a tree head.
    ///
    /// - Parameters:
    ///   - origin: The ledger's origin, `<consortium>/ledger`.
    ///   - size: The number of entries.
    ///   - root: The root of their Merkle tree.
    ///   - time: The latest time of all entries; `nil` for an empty ledger.
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

    /// Whether the declared loss of a history up to `lost` explains why a ledger does not extend this head.
    ///
    /// The declaration explains every head that is older than itself, even if some sites had seen a longer history than
    /// `lost`. A head without a time is explained only if it is no longer than `lost`.
    ///
    /// - Parameters:
    ///   - lost: The head of the longest history that the consortium knew when it declared the loss.
    ///   - declared: The time of the declaration.
    public func isExplained(byLossOf lost: TreeHead, declaredAt declared: Timestamp) -> Bool {
        time.map { $0 < declared } ?? (size <= lost.size)
    }
}

/// A tree head as an Ed25519 signed note (C2SP signed-note, tlog-checkpoint).
public struct SignedTreeHead: Equatable, Sendable {
    public let head: TreeHead
    /// The text of the whole note.
    public let note: String

    /// Returns the origin of a consortium's ledger.
    ///
    /// - Parameter consortium: The consortium's name.
    public static func origin(consortium: String) -> String { "\(consortium)/ledger" }

    /// Signs a tree head.
    ///
    /// - Parameters:
    ///   - head: The head.
    ///   - key: The log key, Ed25519.
    /// - Throws: `IdentityError` if `key` is not an Ed25519 key or signing fails.
    public init(_ head: TreeHead, key: PrivateKey) throws {
        self.head = head
        let publicKey = try key.publicKey.ed25519Bytes()
        let signature = try key.sign(Array(head.body.utf8))
        let blob = Data(Self.keyID(head.origin, publicKey) + signature).base64EncodedString()
        note = "\(head.body)\n— \(head.origin) \(blob)\n"
    }

    /// Parses a note and verifies the log key's signature.
    ///
    /// - Parameters:
    ///   - note: The whole note, at most 4,096 bytes.
    ///   - origin: The origin that the note must name, `<consortium>/ledger`.
    ///   - key: The raw Ed25519 public key of 32 bytes that signs the ledger.
    /// - Throws: `LedgerError` if the note is malformed or its signature is wrong.
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
            throw LedgerError(.malformed, "a tree head has an extension line that is not a time")
        }
        head = TreeHead(origin: origin, size: size, root: root, time: time)
        self.note = note
        guard head.body == body, Self.isSigned(body, by: key, origin: origin, signatures: parts[1]) else {
            throw LedgerError(.badSignature, "the signature of the tree head of size \(size) is wrong")
        }
    }

    /// Accepts other spellings of a number too, but the caller compares the whole `body`, so only the canonical one
    /// passes.
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
        // Base64 has spare bits at its end: accept only the canonical encoding.
        return blob.count == 68 && lines[0] == prefix + blob.base64EncodedString()
            && Array(blob.prefix(4)) == keyID(origin, key)
            && publicKey.isValid(Array(blob.dropFirst(4)), for: Array(body.utf8))
    }

    /// First four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key): 0x01 is Ed25519.
    private static func keyID(_ name: String, _ key: [UInt8]) -> [UInt8] {
        Array(Digest(of: Array(name.utf8) + [0x0a, 0x01] + key).bytes.prefix(4))
    }
}
