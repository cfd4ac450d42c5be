import Federation
import Foundation
import Identity

/// A certificate authority and certificates, made when a test runs.
public struct ConsortiumFixture: Sendable {
    public static let name = "test.kumiai.example"
    public let authority: CertificateAuthority
    public let now: Timestamp

    public init(name: String = ConsortiumFixture.name, at now: Timestamp = ConsortiumFixture.systemTime()) throws {
        self.now = now
        authority = try CertificateAuthority.create(consortium: name, at: now)
    }

    public static func systemTime() -> Timestamp {
        Timestamp(milliseconds: UInt64(Date().timeIntervalSince1970 * 1000))
    }

    public struct Identity: Sendable {
        public let certificate: Certificate
        public let key: PrivateKey
    }

    public func identity(
        _ role: Principal.Role,
        consortium: String = ConsortiumFixture.name,
        days: Int? = nil,
        at time: Timestamp? = nil
    ) throws -> Identity {
        let key = try PrivateKey.generate()
        let principal = Principal(consortium: consortium, role: role)
        return Identity(
            certificate: try authority.issue(principal, for: key.publicKey, days: days, at: time ?? now),
            key: key
        )
    }

    /// A site's certificate with any subject alternative names, as a careless or malicious CA might issue it.
    public func identity(alternativeNames: String?) throws -> Identity {
        let names = alternativeNames.map { "subjectAltName = \($0)\n" } ?? ""
        let profiles = CertificateProfiles(
            configuration: Array(
                """
                [odd]
                basicConstraints = critical, CA:FALSE
                keyUsage = critical, digitalSignature
                extendedKeyUsage = serverAuth, clientAuth
                \(names)
                [lifetimes]
                odd = 1

                """.utf8
            )
        )
        let authority = try CertificateAuthority(
            certificate: authority.certificate,
            key: authority.key,
            profiles: profiles
        )
        let key = try PrivateKey.generate()
        return Identity(
            certificate: try authority.issue(profile: "odd", uri: nil, commonName: "odd", for: key.publicKey, at: now),
            key: key
        )
    }

    public var roots: TrustRoots { TrustRoots([authority.certificate]) }

    public func context(_ side: TLSContext.Side, _ identity: Identity, roots: TrustRoots? = nil) throws -> TLSContext {
        try TLSContext(side, chain: [identity.certificate], key: identity.key, roots: roots ?? self.roots)
    }

    /// Writes ca.pem, certificate.pem and key.pem.
    public func write(_ identity: Identity, to directory: String) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        func write(_ bytes: [UInt8], _ name: String) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: "\(directory)/\(name)"))
        }
        try write(authority.certificate.pem(), "ca.pem")
        try write(identity.certificate.pem(), "certificate.pem")
        unlink("\(directory)/key.pem")
        try IdentityFile.create(identity.key, at: "\(directory)/key.pem")
    }
}
