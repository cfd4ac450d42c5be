import Federation
import Identity

/// The coordinator's certificate and keys, loaded and checked.
struct CoordinatorIdentity: Sendable {
    let chain: [Certificate]
    let key: PrivateKey
    let roots: TrustRoots
    let principal: Principal
    let logKey: PrivateKey
    let logKeyBytes: [UInt8]
    let logKeySignature: [UInt8]
    /// What expires and when: the coordinator's certificate, its CA and its revocation list.
    let notices: [ExpiryNotice]

    init(_ configuration: CoordinatorConfiguration, _ files: CoordinatorFiles, at now: Timestamp) throws {
        chain = try IdentityFile.certificates(configuration.certificate)
        key = try IdentityFile.key(configuration.key)
        roots = try IdentityFile.roots(configuration.authority, revocations: configuration.revocations)
        principal = try roots.verify(chain, in: configuration.certificate, at: now)
        guard principal.isCoordinator, principal.consortium == configuration.consortium else {
            throw CoordinatorError(
                "\(configuration.certificate) is the certificate of \(principal)",
                hint: "the coordinator needs a certificate of the coordinator role for this consortium",
                file: configuration.certificate
            )
        }
        guard try chain[0].matches(key) else {
            throw CoordinatorError(
                "\(configuration.key) is not the key of \(configuration.certificate)",
                hint: "install the certificate and its key together: kumiai pki renew keeps the key",
                file: configuration.key
            )
        }
        notices =
            [ExpiryNotice("the certificate of \(principal.path)", chain[0].term)] + roots.notices(of: chain[0])
        logKey = try IdentityFile.key(files.logKey)
        logKeyBytes = try logKey.publicKey.ed25519Bytes()
        logKeySignature = try key.sign(Genesis.logKeyStatement(logKeyBytes))
    }

    func serverContext() throws -> TLSContext { try TLSContext(.server, chain: chain, key: key, roots: roots) }

}

extension ReloadingIdentity<CoordinatorIdentity> {
    /// Loads the identity of `configuration`, and replaces it when its files are replaced.
    init(_ configuration: CoordinatorConfiguration, _ files: CoordinatorFiles, at now: Timestamp) throws {
        let paths =
            [configuration.certificate, configuration.key, configuration.authority]
            + (configuration.revocations.map { [$0] } ?? [])
        try self.init(files: paths, at: now) { former, now in
            let identity = try CoordinatorIdentity(configuration, files, at: now)
            if let former { try identity.requireSuccession(to: former, configuration) }
            return (identity, try identity.serverContext())
        }
    }
}

extension CoordinatorIdentity {
    /// Throws unless this identity may replace `former` in a running coordinator.
    fileprivate func requireSuccession(to former: CoordinatorIdentity, _ configuration: CoordinatorConfiguration) throws
    {
        guard principal == former.principal else {
            throw CoordinatorError(
                "\(configuration.certificate) is the certificate of \(principal), not of \(former.principal)"
            )
        }
        let authorities = Set(roots.authorities.map(\.digest))
        guard Set(former.roots.authorities.map(\.digest)) == authorities else {
            throw CoordinatorError(
                "\(configuration.authority) holds CAs other than those that this coordinator was started with",
                hint: "stop it to change the CA: kumiai coordinator rotate-ca"
            )
        }
        try roots.requireNoOlderRevocations(than: former.roots)
        guard logKeyBytes == former.logKeyBytes else {
            throw CoordinatorError("log.key is not the key that this ledger was signed with so far")
        }
    }
}
