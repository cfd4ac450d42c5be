import Coordinator
import Federation

/// coordinator.toml
struct CoordinatorFile: RoleFile {
    let listen: String
    let data: String
    let heartbeat_seconds: Int
    let aggregation_threads: Int
    let identity: IdentitySection

    static let name = "coordinator.toml"
    static let author = "kumiai coordinator init"

    static func load(_ path: String) throws -> CoordinatorConfiguration {
        let file = try TOMLFile<CoordinatorFile>(path)
        let content = file.content
        let endpoint = try Endpoint(content.listen, key: "listen")
        guard (1...3600).contains(content.heartbeat_seconds) else {
            throw UsageError("\(path): heartbeat_seconds: expected 1 to 3600")
        }
        guard (1...256).contains(content.aggregation_threads) else {
            throw UsageError("\(path): aggregation_threads: expected 1 to 256")
        }
        let certificate = file.resolve(content.identity.certificate)
        return CoordinatorConfiguration(
            consortium: try Credentials.principal(ofCertificate: certificate).consortium,
            host: endpoint.host,
            port: endpoint.port,
            authority: file.resolve(content.identity.ca),
            certificate: certificate,
            key: file.resolve(content.identity.key),
            revocations: content.identity.revocations(of: file),
            dataDirectory: file.resolve(content.data),
            heartbeatSeconds: content.heartbeat_seconds,
            aggregationThreads: content.aggregation_threads
        )
    }

    static func text(listen: String) -> String {
        """
        # A Kumiai coordinator. Paths count from this file's directory. Unknown keys are errors.

        # Where workers, operators and auditors connect to.
        listen = \(listen.tomlQuoted)

        # The ledger, the blobs and the releases. Back it up as a whole.
        data = "data"

        # Workers report this often; one that says nothing for six times as long counts as gone.
        heartbeat_seconds = 5

        # Threads that sum the updates of a round.
        aggregation_threads = 2

        # PEM files: the consortium's CA, and this coordinator's certificate and key.
        [identity]
        \(IdentitySection.text)

        """
    }
}
