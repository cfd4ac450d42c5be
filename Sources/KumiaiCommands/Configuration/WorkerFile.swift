import Worker

/// worker.toml
struct WorkerFile: Decodable {
    struct TrainingSection: Decodable {
        let demonstrations: String
        let threads: Int
    }

    let coordinator: String
    let data: String
    let exit_when_finished: Bool
    let identity: IdentitySection
    let training: TrainingSection

    static let name = "worker.toml"

    static func load(_ path: String) throws -> WorkerConfiguration {
        let file = try TOMLFile<WorkerFile>(path)
        let content = file.content
        let endpoint = try Endpoint(content.coordinator, key: "coordinator")
        guard (1...256).contains(content.training.threads) else { throw UsageError("\(path): training.threads is outside 1 to 256") }
        let certificate = file.resolve(content.identity.certificate)
        return WorkerConfiguration(
            consortium: try Credentials.principal(ofCertificate: certificate).consortium, host: endpoint.host, port: endpoint.port,
            authority: file.resolve(content.identity.ca), certificate: certificate, key: file.resolve(content.identity.key),
            dataDirectory: file.resolve(content.data), demonstrations: file.resolve(content.training.demonstrations),
            threads: content.training.threads, exitsWhenFinished: content.exit_when_finished)
    }

    static func text(coordinator: String, demonstrations: String, exitWhenFinished: Bool = false) -> String {
        """
        # A Kumiai worker. Paths count from this file's directory. Unknown keys are errors.

        # The worker only ever connects outwards, to this address.
        coordinator = "\(coordinator)"

        # Models, the outbox, receipts, and sent.jsonl: a line for everything that left this site.
        data = "data"

        # Ends the worker when a campaign has ended, rather than waiting for the next.
        exit_when_finished = \(exitWhenFinished)

        # PEM files: the consortium's CA, and this site's certificate and key. The key never leaves this machine.
        [identity]
        ca = "ca.pem"
        certificate = "certificate.pem"
        key = "key.pem"

        [training]
        # A robomimic HDF5 file. It is read here and nowhere else.
        demonstrations = "\(demonstrations)"
        threads = 1

        """
    }
}
