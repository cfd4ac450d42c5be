import COpenSSL
import Federation

/// A certificate revocation list (CRL) of an authority (RFC 5280, section 5).
public final class RevocationList: @unchecked Sendable {
    // Unchecked: an X509_CRL is not changed after its creation, and OpenSSL locks its internal caches.
    let pointer: OpaquePointer

    /// The default lifetime of a list in days: that of a participant's certificate.
    public static let standardDays = 397
    /// The largest number of lists in one file: one per authority.
    private static let maximumLists = 8
    /// Clocks of machines differ, so a new list is valid from one hour ago, like certificates.
    private static let backdatedSeconds: UInt64 = 3600

    private init(owning pointer: OpaquePointer) { self.pointer = pointer }
    deinit { X509_CRL_free(pointer) }

    /// Parses the lists of a PEM or DER file.
    ///
    /// - Parameters:
    ///   - bytes: Lists in PEM, of which the first eight are used, or exactly one list in DER.
    ///   - authorities: The CAs that may have signed the lists.
    /// - Returns: The lists in the order of the file, at least one. Whether they are valid now is not checked.
    /// - Throws: `IdentityError` if the file is malformed, or a list is not signed by one of `authorities`.
    public static func lists(_ bytes: [UInt8], of authorities: [Certificate]) throws -> [RevocationList] {
        let lists = try parse(bytes)
        for list in lists {
            guard authorities.contains(where: list.isSigned) else {
                throw IdentityError(
                    .revocationList,
                    "a list of revoked certificates is not signed by the CA",
                    detail: list.issuer,
                    hint: "take the crl.pem that kumiai pki revoke writes beside the CA's key"
                )
            }
        }
        return lists
    }

    private static func parse(_ bytes: [UInt8]) throws -> [RevocationList] {
        defer { ERR_clear_error() }
        if bytes.first == 0x30 {
            let parsed = bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
                var cursor = buffer.baseAddress
                guard let list = d2i_X509_CRL(nil, &cursor, buffer.count) else { return nil }
                guard cursor == buffer.baseAddress! + buffer.count else {
                    X509_CRL_free(list)
                    return nil
                }
                return list
            }
            guard let parsed else { throw IdentityError.openSSL(.malformed, "not a list of revoked certificates") }
            return [RevocationList(owning: parsed)]
        }
        let bio = try MemoryBIO(bytes)
        var lists: [RevocationList] = []
        while lists.count < maximumLists, let next = PEM_read_bio_X509_CRL(bio.pointer, nil, nil, nil) {
            lists.append(RevocationList(owning: next))
        }
        guard !lists.isEmpty else {
            throw IdentityError(
                .malformed,
                "no list of revoked certificates found",
                hint: "a PEM or DER file, as kumiai pki revoke writes"
            )
        }
        return lists
    }

    /// Whether the key of `authority` signed this list.
    ///
    /// - Parameter authority: The certificate of the possible issuer.
    public func isSigned(by authority: Certificate) -> Bool {
        defer { ERR_clear_error() }
        return X509_CRL_verify(pointer, X509_get0_pubkey(authority.pointer)) == 1
    }

    /// The issuer on one line, for display.
    public var issuer: String { Certificate.text(X509_CRL_get_issuer(pointer)) }

    /// The validity period of the list.
    public var term: ValidityPeriod {
        let end = X509_CRL_get0_nextUpdate(pointer)
        return ValidityPeriod(
            notBefore: Certificate.time(X509_CRL_get0_lastUpdate(pointer)),
            notAfter: end == nil ? Timestamp(milliseconds: .max) : Certificate.time(end)
        )
    }

    /// Whether the list revokes a certificate, which is found by its issuer and serial number.
    ///
    /// - Parameter certificate: The certificate to look for.
    public func contains(_ certificate: Certificate) -> Bool {
        var found: OpaquePointer?
        return X509_CRL_get0_by_cert(pointer, &found, certificate.pointer) == 1
    }

    /// Whether this list revokes everything that `former` revokes.
    func covers(_ former: RevocationList) -> Bool { kumiai_crl_covers(pointer, former.pointer) == 1 }

    /// Returns the list in PEM.
    ///
    /// - Throws: `IdentityError` if the list cannot be encoded.
    public func pem() throws -> [UInt8] {
        let bio = try MemoryBIO()
        guard PEM_write_bio_X509_CRL(bio.pointer, pointer) == 1 else {
            throw IdentityError.openSSL(.failed, "cannot write the list of revoked certificates")
        }
        return bio.bytes
    }
}

extension CertificateAuthority {
    /// Creates a new list.
    ///
    /// - Parameters:
    ///   - certificates: The certificates to revoke; if empty, the new list only extends the validity of the former
    ///     one.
    ///   - former: The list to extend; its entries are kept.
    ///   - days: The lifetime of the new list.
    ///   - now: The current time.
    /// - Returns: The new list.
    /// - Throws: `IdentityError` if a certificate was issued by another authority, or the list cannot be created.
    public func revoke(
        _ certificates: [Certificate],
        after former: RevocationList? = nil,
        days: Int = RevocationList.standardDays,
        at now: Timestamp
    ) throws -> RevocationList {
        try requireHolds(at: now)
        try Self.check(days: days)
        for certificate in certificates {
            guard certificate.isSigned(by: self.certificate) else {
                throw IdentityError(.notTrusted, "the certificate is not from this CA", detail: certificate.subject)
            }
        }
        let new = certificates.filter { former?.contains($0) != true }
        let list = try RevocationList(revoking: new, after: former, by: self, days: days, at: now)
        // Parse it again, so that the caller gets exactly what others will read.
        return try RevocationList.lists(list.pem(), of: [self.certificate])[0]
    }
}

extension RevocationList {
    fileprivate convenience init(
        revoking certificates: [Certificate],
        after former: RevocationList?,
        by authority: CertificateAuthority,
        days: Int,
        at now: Timestamp
    ) throws {
        guard let list = former.map({ X509_CRL_dup($0.pointer) }) ?? X509_CRL_new() else {
            throw IdentityError.openSSL(.failed, "cannot allocate a list of revoked certificates")
        }
        self.init(owning: list)
        let seconds = now.milliseconds / 1000
        X509_CRL_set_version(list, 1)
        X509_CRL_set_issuer_name(list, X509_get_subject_name(authority.certificate.pointer))
        try Self.setTime(seconds - min(seconds, Self.backdatedSeconds)) { X509_CRL_set1_lastUpdate(list, $0) }
        try Self.setTime(seconds + UInt64(days) * 86_400) { X509_CRL_set1_nextUpdate(list, $0) }
        for certificate in certificates { try Self.add(certificate, to: list, at: seconds) }
        try Self.setNumber(of: list, seconds)
        try Self.setAuthorityKey(of: list, authority.certificate)
        X509_CRL_sort(list)
        guard X509_CRL_sign(list, authority.key.pointer, EVP_sha256()) > 0 else {
            throw IdentityError.openSSL(.failed, "cannot sign the list of revoked certificates")
        }
    }

    private static func setTime(_ seconds: UInt64, _ set: (UnsafePointer<ASN1_TIME>) -> Int32) throws {
        guard let time = ASN1_TIME_set(nil, Int(seconds)) else {
            throw IdentityError.openSSL(.failed, "cannot make a time")
        }
        defer { ASN1_TIME_free(time) }
        guard set(time) == 1 else { throw IdentityError.openSSL(.failed, "cannot set a time") }
    }

    private static func add(_ certificate: Certificate, to list: OpaquePointer, at seconds: UInt64) throws {
        guard let entry = X509_REVOKED_new() else {
            throw IdentityError.openSSL(.failed, "cannot revoke a certificate")
        }
        // The call copies the serial number.
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.pointer))
        try setTime(seconds) { X509_REVOKED_set_revocationDate(entry, UnsafeMutablePointer(mutating: $0)) }
        guard X509_CRL_add0_revoked(list, entry) == 1 else {
            X509_REVOKED_free(entry)
            throw IdentityError.openSSL(.failed, "cannot revoke a certificate")
        }
    }

    /// Two authorities may have the same name, so the key identifier says which of them issued the list.
    private static func setAuthorityKey(of list: OpaquePointer, _ authority: Certificate) throws {
        guard X509_get0_subject_key_id(authority.pointer) != nil,
            X509_CRL_get_ext_by_NID(list, NID_authority_key_identifier, -1) < 0
        else { return }
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, authority.pointer, nil, nil, list, 0)
        guard let identifier = X509V3_EXT_conf_nid(nil, &context, NID_authority_key_identifier, "keyid:always") else {
            throw IdentityError.openSSL(.failed, "cannot identify the authority's key")
        }
        defer { X509_EXTENSION_free(identifier) }
        guard X509_CRL_add_ext(list, identifier, -1) == 1 else {
            throw IdentityError.openSSL(.failed, "cannot identify the authority's key")
        }
    }

    /// Sets a number that only grows: the time in seconds, or the previous number plus one if the clock was set back.
    private static func setNumber(of list: OpaquePointer, _ seconds: UInt64) throws {
        var number = Int(seconds)
        let place = X509_CRL_get_ext_by_NID(list, NID_crl_number, -1)
        if place >= 0 {
            if let raw = X509_CRL_get_ext_d2i(list, NID_crl_number, nil, nil) {
                let former = raw.assumingMemoryBound(to: ASN1_INTEGER.self)
                number = max(number, ASN1_INTEGER_get(former) + 1)
                ASN1_INTEGER_free(former)
            }
            X509_EXTENSION_free(X509_CRL_delete_ext(list, place))
        }
        guard let integer = ASN1_INTEGER_new(), ASN1_INTEGER_set(integer, number) == 1 else {
            throw IdentityError.openSSL(.failed, "cannot number the list of revoked certificates")
        }
        defer { ASN1_INTEGER_free(integer) }
        guard X509_CRL_add1_ext_i2d(list, NID_crl_number, integer, 0, 0) == 1 else {
            throw IdentityError.openSSL(.failed, "cannot number the list of revoked certificates")
        }
    }
}
