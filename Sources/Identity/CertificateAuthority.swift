import COpenSSL
import Federation
import Glibc

/// Certificate profiles: the OpenSSL configuration in `certs/kumiai.cnf`, or a consortium's own configuration.
public struct CertificateProfiles: Sendable {
    public let configuration: [UInt8]

    /// Makes profiles of a consortium's own configuration.
    ///
    /// - Parameter configuration: The contents of an OpenSSL configuration file: one section of extensions per profile,
    ///   and `[lifetimes]` with the lifetime of each profile in days. It is parsed when a certificate is issued.
    public init(configuration: [UInt8]) { self.configuration = configuration }

    /// The contents of `certs/kumiai.cnf` when this program was built.
    public static let standard = CertificateProfiles(configuration: PackageResources.kumiai_cnf)
}

/// A consortium's certificate authority: one self-signed certificate and its key.
public struct CertificateAuthority: Sendable {
    public let certificate: Certificate
    public let key: PrivateKey
    public let profiles: CertificateProfiles

    /// Makes an authority of its certificate and key.
    ///
    /// - Parameters:
    ///   - certificate: The authority's certificate.
    ///   - key: The private key of the certificate.
    ///   - profiles: The profiles of the certificates to issue.
    /// - Throws: `IdentityError` if the key does not belong to the certificate.
    public init(certificate: Certificate, key: PrivateKey, profiles: CertificateProfiles = .standard) throws {
        guard try certificate.matches(key) else {
            throw IdentityError(.failed, "the CA's key does not belong to its certificate")
        }
        self.certificate = certificate
        self.key = key
        self.profiles = profiles
    }

    /// Creates a new authority for `consortium`, valid from one hour before `now`.
    ///
    /// - Parameters:
    ///   - consortium: The consortium's name, which is its SPIFFE trust domain: 1 to 255 bytes of `a-z 0-9 . _ -`.
    ///   - days: The lifetime, 1 to ``maximumDays``; `nil` uses that of the profile `ca`.
    ///   - profiles: The profiles of the authority and of the certificates that it will issue.
    ///   - now: The current time.
    /// - Returns: The authority, with a new ECDSA P-256 key.
    /// - Throws: `IdentityError` if the name or the number of days is not valid, or the certificate cannot be created.
    public static func create(
        consortium: String,
        days: Int? = nil,
        profiles: CertificateProfiles = .standard,
        at now: Timestamp
    ) throws -> CertificateAuthority {
        guard SPIFFE.isTrustDomain(consortium) else {
            throw IdentityError(
                .wrongIdentity,
                "a consortium's name may contain only a-z 0-9 . _ -, for example robots.example",
                detail: consortium
            )
        }
        let key = try PrivateKey.generate()
        let draft = CertificateDraft(
            commonName: "\(consortium) certificate authority",
            profile: "ca",
            uri: nil,
            days: days,
            issuer: nil,
            subjectKey: key.publicKey,
            signingKey: key
        )
        return try CertificateAuthority(certificate: draft.sign(profiles, at: now), key: key, profiles: profiles)
    }

    /// The longest lifetime that can be requested: a hundred years.
    public static let maximumDays = 36_500

    static func check(days: Int) throws {
        guard (1...maximumDays).contains(days) else {
            throw IdentityError(.malformed, "a certificate is valid for 1 to \(maximumDays) days", detail: "\(days)")
        }
    }

    /// Throws if the authority has expired, since no certificate that it issued would be accepted.
    func requireHolds(at now: Timestamp) throws {
        guard let notice = certificate.term.notice(at: now), case .ended = certificate.term.standing(at: now) else {
            return
        }
        throw IdentityError(
            .authorityEnded,
            "the certificate authority is not valid now",
            detail: "\(certificate.subject) \(notice)",
            hint: "the consortium needs a new CA, and new certificates issued by it"
        )
    }

    /// Issues a certificate for `principal` with the profile of its role.
    ///
    /// - Parameters:
    ///   - principal: The identity to certify.
    ///   - publicKey: Its public key.
    ///   - days: The lifetime; `nil` uses the profile's. The certificate never outlives the authority.
    ///   - now: The current time.
    /// - Returns: The certificate.
    /// - Throws: `IdentityError` if the authority is not valid now or the certificate cannot be created.
    public func issue(
        _ principal: Principal,
        for publicKey: PublicKey,
        days: Int? = nil,
        at now: Timestamp
    ) throws -> Certificate {
        try issue(
            profile: principal.profileName,
            uri: principal.description,
            commonName: principal.path,
            for: publicKey,
            days: days,
            at: now
        )
    }

    /// Issues a certificate with a named profile and any URI. Tests of hostile certificates use it too.
    ///
    /// - Parameters:
    ///   - profile: The profile: the name of a section of the configuration.
    ///   - uri: The URI that the profile reads as `SPIFFE_ID`, not checked; `nil` stands for
    ///     `spiffe://unset.invalid/none`.
    ///   - commonName: The subject's common name; cut to 64 characters.
    ///   - publicKey: The key to certify.
    ///   - days: The lifetime, 1 to ``maximumDays``; `nil` uses the profile's. The certificate never outlives the
    ///     authority.
    ///   - now: The current time.
    /// - Returns: The certificate, valid from one hour before `now`.
    /// - Throws: `IdentityError` if the authority is not valid now or the certificate cannot be created.
    public func issue(
        profile: String,
        uri: String?,
        commonName: String,
        for publicKey: PublicKey,
        days: Int? = nil,
        at now: Timestamp
    ) throws -> Certificate {
        try requireHolds(at: now)
        return try CertificateDraft(
            commonName: commonName,
            profile: profile,
            uri: uri,
            days: days,
            issuer: certificate,
            subjectKey: publicKey,
            signingKey: key
        ).sign(profiles, at: now)
    }
}

extension Principal {
    /// The profile's section name for this role.
    public var profileName: String {
        switch role {
        case .site: "site"
        case .operator: "operator"
        case .auditor: "auditor"
        case .coordinator: "coordinator"
        }
    }
}

/// The contents of a certificate to be signed.
private struct CertificateDraft {
    let commonName: String
    let profile: String
    let uri: String?
    let days: Int?
    let issuer: Certificate?
    let subjectKey: PublicKey
    let signingKey: PrivateKey

    // Clocks of machines differ, so a new certificate is valid from one hour ago.
    private static let backdatedSeconds = 3600

    func sign(_ profiles: CertificateProfiles, at now: Timestamp) throws -> Certificate {
        guard let pointer = X509_new() else { throw IdentityError.openSSL(.failed, "cannot allocate a certificate") }
        let certificate = Certificate(owning: pointer)
        let configuration = try Configuration(profiles, uri: uri)
        let lifetime = try days ?? configuration.days(of: profile)
        try CertificateAuthority.check(days: lifetime)
        let start = Int(now.milliseconds / 1000) - Self.backdatedSeconds
        X509_set_version(pointer, 2)
        try setSerial(pointer)
        ASN1_TIME_set(X509_getm_notBefore(pointer), start)
        // Not longer than the CA: the certificate could not be used after that, but would look valid.
        let end = min(
            start + Self.backdatedSeconds + lifetime * 86_400,
            issuer.map { Int($0.notAfter.milliseconds / 1000) } ?? .max
        )
        ASN1_TIME_set(X509_getm_notAfter(pointer), end)
        X509_set_pubkey(pointer, subjectKey.pointer)
        let name = X509_get_subject_name(pointer)
        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, "Kumiai", -1, -1, 0)
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, String(commonName.prefix(64)), -1, -1, 0)
        X509_set_issuer_name(pointer, issuer.map { X509_get_subject_name($0.pointer) } ?? name)
        try configuration.addExtensions(of: profile, to: pointer, issuer: issuer?.pointer ?? pointer)
        guard X509_sign(pointer, signingKey.pointer, EVP_sha256()) > 0 else {
            throw IdentityError.openSSL(.failed, "cannot sign the certificate")
        }
        // Parse it again, so that the caller gets exactly what others will read.
        return try Certificate(der: certificate.der)
    }

    /// Sets a random positive serial number of 128 bits.
    private func setSerial(_ certificate: OpaquePointer) throws {
        var bytes = [UInt8](repeating: 0, count: 16)
        RAND_bytes(&bytes, 16)
        bytes[0] = bytes[0] & 0x7f | 0x40
        guard let number = BN_bin2bn(bytes, 16, nil) else {
            throw IdentityError.openSSL(.failed, "cannot make a serial")
        }
        defer { BN_free(number) }
        BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate))
    }
}

/// A parsed OpenSSL configuration, with the identity in its environment.
private final class Configuration {
    private let pointer: UnsafeMutablePointer<CONF>

    init(_ profiles: CertificateProfiles, uri: String?) throws {
        guard let configuration = NCONF_new(nil) else {
            throw IdentityError.openSSL(.failed, "cannot allocate a configuration")
        }
        pointer = configuration
        // The configuration reads ${ENV::SPIFFE_ID}, as it does when the openssl command uses it.
        setenv("SPIFFE_ID", uri ?? "spiffe://unset.invalid/none", 1)
        let bio = try MemoryBIO(profiles.configuration)
        var line = 0
        guard NCONF_load_bio(pointer, bio.pointer, &line) == 1 else {
            throw IdentityError.openSSL(.malformed, "the certificate profiles have an error in line \(line)")
        }
    }

    deinit { NCONF_free(pointer) }

    func days(of profile: String) throws -> Int {
        defer { ERR_clear_error() }
        guard let text = NCONF_get_string(pointer, "lifetimes", profile), let days = Int(String(cString: text)),
            days > 0
        else {
            throw IdentityError(.malformed, "the certificate profiles have no lifetime", detail: profile)
        }
        return days
    }

    func addExtensions(of profile: String, to certificate: OpaquePointer, issuer: OpaquePointer) throws {
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer, certificate, nil, nil, 0)
        X509V3_set_nconf(&context, pointer)
        guard NCONF_get_section(pointer, profile) != nil else {
            throw IdentityError(.malformed, "the certificate profiles have no such section", detail: profile)
        }
        guard X509V3_EXT_add_nconf(pointer, &context, profile, certificate) == 1 else {
            throw IdentityError.openSSL(.malformed, "a certificate profile cannot be used")
        }
    }
}
