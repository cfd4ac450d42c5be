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

    init(_ configuration: CoordinatorConfiguration, _ files: CoordinatorFiles, at now: Timestamp) throws {
        chain = try Certificate.chain(pem: readFile(configuration.certificate))
        key = try PrivateKey(pem: readFile(configuration.key))
        roots = try TrustRoots(pem: readFile(configuration.authority))
        principal = try roots.verify(chain[0], intermediates: Array(chain.dropFirst()), at: now)
        guard principal.isCoordinator, principal.consortium == configuration.consortium else {
            throw CoordinatorError("\(configuration.certificate) is the certificate of \(principal)", hint: "the coordinator needs one of its own role")
        }
        logKey = try PrivateKey(pem: readFile(files.logKey))
        logKeyBytes = try logKey.publicKey.ed25519Bytes()
        logKeySignature = try key.sign(Founding.logKeyStatement(logKeyBytes))
    }

    func serverContext() throws -> TLSContext { try TLSContext(.server, chain: chain, key: key, roots: roots) }
}
