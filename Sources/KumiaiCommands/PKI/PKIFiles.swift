import Foundation
import Identity

/// The files of an identity's directory.
struct PKIFiles {
    let directory: String

    var authority: String { directory + "/ca.pem" }
    var authorityKey: String { directory + "/ca.key" }
    var certificate: String { directory + "/certificate.pem" }
    var key: String { directory + "/key.pem" }
    var request: String { directory + "/request.pem" }
    var revocations: String { directory + "/crl.pem" }

    /// Makes the directory; only its owner has access, because it holds keys.
    func create() throws {
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
    }

    /// Never overwrites: a lost key cannot be recovered.
    func write(_ bytes: [UInt8], to path: String, isPrivate: Bool = false) throws {
        do {
            try IdentityFile.create(bytes, at: path, mode: isPrivate ? 0o600 : 0o644)
        } catch let error as IdentityError where error.code == .exists {
            throw UsageError(
                "\(path) already exists; nothing was overwritten",
                hint: isPrivate
                    ? "for a new certificate of this key: kumiai pki renew; for a new key, choose another directory"
                    : "choose another directory with --out"
            )
        } catch let error as IdentityError {
            throw UsageError("cannot write \(error.detail)", hint: error.hint)
        }
    }

    /// Replaces the certificate with `newer` and keeps the old one beside it; returns the old one's new path.
    func replaceCertificate(_ former: Certificate, with newer: Certificate) throws -> String {
        let kept = "\(directory)/certificate-\(former.serial.prefix(16)).pem"
        let bytes = try IdentityFile.read(certificate)
        do {
            try IdentityFile.create(bytes, at: kept)
        } catch let error as IdentityError where error.code == .exists {
            // An earlier attempt was interrupted.
            guard try IdentityFile.read(kept) == bytes else {
                throw UsageError("\(kept) already exists and is another certificate", hint: "move it away")
            }
        }
        try IdentityFile.replace(newer.pem(), at: certificate)
        return kept
    }

    /// The CA's certificate and key in this directory.
    func loadAuthority(profiles: CertificateProfiles = .standard) throws -> CertificateAuthority {
        let certificate = try IdentityFile.certificates(authority)[0]
        return try CertificateAuthority(
            certificate: certificate,
            key: IdentityFile.key(authorityKey),
            profiles: profiles
        )
    }

    /// The CA's list of revoked certificates; `nil` if there is no such list yet.
    func loadRevocations(of authority: Certificate) throws -> RevocationList? {
        guard FileManager.default.fileExists(atPath: revocations) else { return nil }
        return try IdentityFile.roots(self.authority, revocations: revocations).revocations.first
    }
}
