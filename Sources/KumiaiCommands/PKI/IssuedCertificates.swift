import Blobs
import Foundation
import Identity

/// The certificates that a CA has issued; it keeps copies beside its key. They are needed because a list of revoked
/// certificates has only serial numbers, and a key may have several certificates.
struct IssuedCertificates {
    private let directory: String
    private let authority: Certificate

    init(_ files: PKIFiles, of authority: Certificate) {
        directory = files.directory + "/issued"
        self.authority = authority
    }

    /// Stores a certificate; call this before the certificate is handed out.
    func keep(_ certificate: Certificate) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        do {
            try IdentityFile.create(certificate.pem(), at: "\(directory)/\(certificate.serial).pem", mode: 0o644)
        } catch let error as IdentityError where error.code == .exists {}
    }

    /// The certificates of a key that are stored here or in `folder`, where a renewal leaves the former one.
    private func certificates(of key: PublicKey, beside folder: String) throws -> [Certificate] {
        let all =
            try Self.certificates(in: directory) { _ in true }
            + Self.certificates(in: folder) { $0.hasPrefix("certificate") }
        return try all.filter { try $0.isSigned(by: authority) && $0.publicKey == key }
    }

    /// The other certificates of a certificate's key; `path` is the certificate's file.
    func siblings(of certificate: Certificate, at path: String) throws -> [Certificate] {
        var seen: Set<String> = [certificate.serial]
        return try certificates(of: certificate.publicKey, beside: SystemDisk.folder(of: path)).filter {
            seen.insert($0.serial).inserted
        }
    }

    /// Throws if a certificate of this key was revoked, because the key may be compromised. `folder`: where other
    /// certificates of the key may be.
    func requireNotRevoked(_ key: PublicKey, by list: RevocationList?, called name: String, beside folder: String)
        throws
    {
        guard let list, let revoked = try certificates(of: key, beside: folder).first(where: list.contains) else {
            return
        }
        throw UsageError(
            "a certificate of the key of \(name) was revoked, serial \(revoked.serial)",
            hint: "make a new key, in a new directory: kumiai pki request, then kumiai pki issue"
        )
    }

    private static func certificates(in directory: String, where isWanted: (String) -> Bool) throws -> [Certificate] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return try names.sorted().filter { $0.hasSuffix(".pem") && isWanted($0) }.map {
            try IdentityFile.certificates("\(directory)/\($0)")[0]
        }
    }
}
