import Federation
import Foundation
import Identity
import NIOPosix
import Transport

/// The site's certificate and key, loaded and checked.
public struct WorkerIdentity: Sendable {
    public let chain: [Certificate]
    let key: PrivateKey
    let roots: TrustRoots
    public let site: SiteID
    let consortium: String

    public init(_ configuration: WorkerConfiguration, at now: Timestamp) throws {
        func read(_ path: String) throws -> [UInt8] {
            guard let data = FileManager.default.contents(atPath: path) else {
                throw WorkerError("cannot read \(path)", hint: "is the path in the configuration right, and may this user read it?")
            }
            return Array(data)
        }
        chain = try Certificate.chain(pem: read(configuration.certificate))
        key = try PrivateKey(pem: read(configuration.key))
        roots = try TrustRoots(pem: read(configuration.authority))
        let principal = try roots.verify(chain[0], intermediates: Array(chain.dropFirst()), at: now)
        guard let site = principal.site, principal.consortium == configuration.consortium else {
            throw WorkerError(
                "\(configuration.certificate) is the certificate of \(principal)", hint: "a worker needs spiffe://\(configuration.consortium)/member/M/site/S")
        }
        guard try chain[0].matches(key) else { throw WorkerError("\(configuration.key) is not the key of \(configuration.certificate)") }
        self.site = site
        consortium = configuration.consortium
    }

    /// The site's way to the coordinator that `configuration` names.
    public func dialer(_ configuration: WorkerConfiguration) throws -> Dialer {
        Dialer(
            host: configuration.host, port: configuration.port, proxy: configuration.proxy,
            context: try TLSContext(.client, chain: chain, key: key, roots: roots), consortium: consortium, group: MultiThreadedEventLoopGroup.singleton)
    }

    /// Signs a manifest.
    func sign(_ manifest: UpdateManifest, bytes: [UInt8]) throws -> SignedUpdate {
        SignedUpdate(
            manifest: manifest, manifestBytes: bytes, signature: try key.sign(SignedUpdate.statement(bytes)),
            certificate: chain[0].der)
    }
}
