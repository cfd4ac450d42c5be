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

    /// A directory for keys is its owner's alone.
    func create() throws {
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
    }

    /// Never overwrites: a key that is gone cannot be had again.
    func write(_ bytes: [UInt8], to path: String, isPrivate: Bool = false) throws {
        do {
            try IdentityFile.create(bytes, at: path, mode: isPrivate ? 0o600 : 0o644)
        } catch let error as IdentityError where error.code == .exists {
            throw UsageError(
                "\(path) is there already, and nothing is overwritten",
                hint: isPrivate
                    ? "a new certificate for this key: kumiai pki renew; a new key goes to another directory"
                    : "choose another directory with --out"
            )
        } catch let error as IdentityError {
            throw UsageError("cannot write \(error.detail)", hint: error.hint)
        }
    }

    /// Puts `newer` in place of the certificate, which stays beside it; returns the path of the old one.
    func replaceCertificate(_ former: Certificate, with newer: Certificate) throws -> String {
        let kept = "\(directory)/certificate-\(former.serial.prefix(16)).pem"
        let bytes = try IdentityFile.read(certificate)
        do {
            try IdentityFile.create(bytes, at: kept)
        } catch let error as IdentityError where error.code == .exists {
            // An earlier try that was interrupted.
            guard try IdentityFile.read(kept) == bytes else {
                throw UsageError("\(kept) is there already, and is another certificate", hint: "move it away")
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

    /// The CA's list of revoked certificates; `nil` where it has revoked none.
    func loadRevocations(of authority: Certificate) throws -> RevocationList? {
        guard FileManager.default.fileExists(atPath: revocations) else { return nil }
        return try IdentityFile.roots(self.authority, revocations: revocations).revocations.first
    }
}
