import Blobs
import Foundation
import Identity

/// What a CA has issued, as it keeps it beside its key: a list of revoked certificates has serial numbers alone, and a
/// key may have several certificates.
struct IssuedCertificates {
    private let directory: String
    private let authority: Certificate

    init(_ files: PKIFiles, of authority: Certificate) {
        directory = files.directory + "/issued"
        self.authority = authority
    }

    /// Kept before it is handed out.
    func keep(_ certificate: Certificate) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        do {
            try IdentityFile.create(certificate.pem(), at: "\(directory)/\(certificate.serial).pem", mode: 0o644)
        } catch let error as IdentityError where error.code == .exists {}
    }

    /// Those of a key that are known here, or lie in `folder`, where a renewal leaves the former one.
    private func certificates(of key: PublicKey, beside folder: String) throws -> [Certificate] {
        let all =
            try Self.certificates(in: directory) { _ in true }
            + Self.certificates(in: folder) { $0.hasPrefix("certificate") }
        return try all.filter { try $0.isSigned(by: authority) && $0.publicKey == key }
    }

    /// Other certificates of a certificate's key; its file is at `path`.
    func siblings(of certificate: Certificate, at path: String) throws -> [Certificate] {
        var seen: Set<String> = [certificate.serial]
        return try certificates(of: certificate.publicKey, beside: SystemDisk.folder(of: path)).filter {
            seen.insert($0.serial).inserted
        }
    }

    /// Throws where a certificate of this key was revoked: somebody else may have the key. `folder`: where others of
    /// the key may lie.
    func requireNotRevoked(_ key: PublicKey, by list: RevocationList?, called name: String, beside folder: String)
        throws
    {
        guard let list, let revoked = try certificates(of: key, beside: folder).first(where: list.contains) else {
            return
        }
        throw UsageError(
            "the key of \(name) had a certificate that was revoked, serial \(revoked.serial)",
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
