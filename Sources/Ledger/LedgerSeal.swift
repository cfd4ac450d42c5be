import Blobs
import Federation
import Foundation
import Identity

/// The signed hash of a closed ledger's file. The Merkle tree covers the entries; the seal also covers the other bytes
/// of the database file, so that any changed byte of a copy is detected.
///
/// A seal is written when the coordinator stops and removed when it starts, so a copy of a running ledger has none.
public enum LedgerSeal {
    /// Writes the seal of a closed ledger's file, durably.
    ///
    /// - Parameters:
    ///   - path: The path of the seal, which is replaced if it exists.
    ///   - ledger: The path of the ledger's file.
    ///   - size: The number of entries in the ledger.
    ///   - origin: The ledger's origin, `<consortium>/ledger`.
    ///   - key: The log key, Ed25519.
    /// - Throws: `BlobError` if the ledger's file cannot be read or the seal cannot be written, `IdentityError` if
    ///   signing fails.
    public static func write(to path: String, ledger: String, size: Int, origin: String, key: PrivateKey) throws {
        let digest = try BlobStore.digest(ofFile: ledger).digest
        let body = "kumiai ledger seal v1\n\(origin)\n\(size)\n\(digest.hex)\n"
        let signature = hexadecimal(try key.sign(Array(body.utf8)))
        try SystemDisk().store(Array("\(body)\(signature)\n".utf8), at: path)
    }

    private static let maximumBytes = 4096

    /// Returns the number of entries that the seal says the ledger held.
    ///
    /// - Parameters:
    ///   - path: The path of the seal.
    ///   - origin: The ledger's origin, `<consortium>/ledger`.
    ///   - logKey: The raw Ed25519 public key of 32 bytes that signs the ledger.
    /// - Throws: `LedgerError` if the seal cannot be read or is not signed by the log key, `IdentityError` if `logKey`
    ///   is not an Ed25519 key.
    public static func size(_ path: String, origin: String, logKey: [UInt8]) throws -> Int {
        guard let size = Int(try lines(path, origin: origin, logKey: logKey)[2]) else {
            throw LedgerError(.tampered, "the ledger's seal is not a seal")
        }
        return size
    }

    /// Checks a seal against the ledger's file.
    ///
    /// - Parameters:
    ///   - path: The path of the seal.
    ///   - ledger: The path of the ledger's file, which is hashed.
    ///   - size: The number of entries in the ledger.
    ///   - origin: The ledger's origin, `<consortium>/ledger`.
    ///   - logKey: The raw Ed25519 public key of 32 bytes that signs the ledger.
    /// - Throws: `LedgerError` if the seal is not valid or does not match the file or the size, `BlobError` if the file
    ///   cannot be read, `IdentityError` if `logKey` is not an Ed25519 key.
    public static func verify(_ path: String, ledger: String, size: Int, origin: String, logKey: [UInt8]) throws {
        try verify(path, digest: BlobStore.digest(ofFile: ledger).digest, size: size, origin: origin, logKey: logKey)
    }

    /// Checks a seal against the digest of a ledger's file.
    ///
    /// - Parameters:
    ///   - path: The path of the seal.
    ///   - digest: The SHA-256 of the ledger's file.
    ///   - size: The number of entries in the ledger.
    ///   - origin: The ledger's origin, `<consortium>/ledger`.
    ///   - logKey: The raw Ed25519 public key of 32 bytes that signs the ledger.
    /// - Throws: `LedgerError` if the seal is not valid or does not match the digest or the size, `IdentityError` if
    ///   `logKey` is not an Ed25519 key.
    public static func verify(_ path: String, digest: Digest, size: Int, origin: String, logKey: [UInt8]) throws {
        let lines = try lines(path, origin: origin, logKey: logKey)
        guard lines[2] == "\(size)" else {
            throw LedgerError(.tampered, "the ledger holds \(size) entries, but its seal says \(lines[2])")
        }
        guard digest.hex == lines[3] else {
            throw LedgerError(.tampered, "the ledger's file was changed after it was sealed")
        }
    }

    /// Returns the lines of a seal whose signature is valid.
    private static func lines(_ path: String, origin: String, logKey: [UInt8]) throws -> [String] {
        guard let size = SystemDisk().byteCount(path), size <= maximumBytes,
            let text = try? SystemDisk().contents(of: path)
        else {
            throw LedgerError(.tampered, "the ledger's seal \(path) cannot be read")
        }
        let lines = String(decoding: text, as: UTF8.self).components(separatedBy: "\n")
        guard lines.count == 6, lines[5].isEmpty, lines[0] == "kumiai ledger seal v1", lines[1] == origin,
            let signature = bytes(hex: lines[4]), hexadecimal(signature) == lines[4]
        else { throw LedgerError(.tampered, "the ledger's seal is not a seal") }
        let body = lines[0...3].joined(separator: "\n") + "\n"
        guard try PublicKey(ed25519: logKey).isValid(signature, for: Array(body.utf8)) else {
            throw LedgerError(.badSignature, "the signature of the ledger's seal is wrong")
        }
        return lines
    }

    private static func bytes(hex: String) -> [UInt8]? {
        let digits = Array(hex.utf8)
        guard digits.count == 128 else { return nil }
        return stride(from: 0, to: 128, by: 2).reduce(into: [UInt8]?([])) { bytes, index in
            let pair = String(decoding: digits[index..<index + 2], as: UTF8.self)
            guard let byte = UInt8(pair, radix: 16) else {
                bytes = nil
                return
            }
            bytes?.append(byte)
        }
    }
}
