import Federation
import Identity
import NIOPosix
import Transport

/// The site's certificate and key, loaded and checked.
package struct WorkerIdentity: Sendable {
    package let chain: [Certificate]
    let key: PrivateKey
    let roots: TrustRoots
    package let site: SiteID
    let consortium: String
    /// The certificates that end, and when.
    package let notices: [ExpiryNotice]

    package init(_ configuration: WorkerConfiguration, at now: Timestamp) throws {
        chain = try IdentityFile.certificates(configuration.certificate)
        key = try IdentityFile.key(configuration.key)
        roots = try IdentityFile.roots(configuration.authority, revocations: configuration.revocations)
        let principal = try roots.verify(chain, in: configuration.certificate, at: now)
        guard let site = principal.site, principal.consortium == configuration.consortium else {
            throw WorkerError(
                "\(configuration.certificate) is the certificate of \(principal)",
                hint: "a worker needs spiffe://\(configuration.consortium)/member/M/site/S",
                file: configuration.certificate
            )
        }
        guard try chain[0].matches(key) else {
            throw WorkerError(
                "\(configuration.key) is not the key of \(configuration.certificate)",
                hint: "use a key and a certificate that belong together; kumiai pki renew keeps the key",
                file: configuration.key
            )
        }
        self.site = site
        notices = [ExpiryNotice("this site's certificate", chain[0].term)] + roots.notices(of: chain[0])
        consortium = configuration.consortium
    }

    func clientContext() throws -> TLSContext { try TLSContext(.client, chain: chain, key: key, roots: roots) }

    /// Returns a dialer for the coordinator in `configuration`.
    ///
    /// - Throws: An error if the TLS context cannot be created.
    package func dialer(_ configuration: WorkerConfiguration) throws -> Dialer {
        dialer(configuration, TLSContextBox(try clientContext()))
    }

    func dialer(_ configuration: WorkerConfiguration, _ contexts: TLSContextBox) -> Dialer {
        Dialer(
            host: configuration.host,
            port: configuration.port,
            proxy: configuration.proxy,
            contexts: contexts,
            consortium: consortium,
            group: MultiThreadedEventLoopGroup.singleton
        )
    }

    func sign(_ manifest: UpdateManifest, bytes: [UInt8]) throws -> SignedUpdate {
        SignedUpdate(
            manifest: manifest,
            manifestBytes: bytes,
            signature: try key.sign(SignedUpdate.statement(bytes)),
            certificate: chain[0].der
        )
    }
}

extension ReloadingIdentity<WorkerIdentity> {
    /// Loads the identity of `configuration`; it can be replaced when its files change.
    init(_ configuration: WorkerConfiguration, at now: Timestamp) throws {
        let paths =
            [configuration.certificate, configuration.key, configuration.authority]
            + (configuration.revocations.map { [$0] } ?? [])
        try self.init(files: paths, at: now) { former, now in
            let identity = try WorkerIdentity(configuration, at: now)
            if let former { try identity.roots.requireNoOlderRevocations(than: former.roots) }
            guard former == nil || identity.site == former?.site else {
                throw WorkerError(
                    "\(configuration.certificate) is the certificate of another site, \(identity.site)",
                    hint: "each site needs its own directory: put that certificate into the other site's directory"
                )
            }
            return (identity, try identity.clientContext())
        }
    }
}
