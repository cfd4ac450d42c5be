import Coordinator
import Federation
import Identity
import Settings

/// coordinator.toml
struct CoordinatorFile: RoleFile {
    var listen = ""
    var data = "data"
    var heartbeatSeconds = 5
    var aggregationThreads = 2
    var identity = IdentitySection()

    var paths: [(key: String, path: String)] { identity.paths + [("data", data)] }

    static let name = "coordinator.toml"
    static let author = "kumiai coordinator init"
    static let listing = "kumiai coordinator settings"
    static let title = "A Kumiai coordinator. Paths count from this file's directory."
    static let draft = CoordinatorFile()
    static let schema = SettingSchema<CoordinatorFile>([
        SettingSection {
            Endpoint.setting("listen", \.listen, help: "Where workers, operators and auditors connect to.")
            Setting(
                "data",
                \.data,
                .path,
                help: "The ledger, the blobs and the releases. Back it up as a whole."
            )
            Setting(
                "heartbeat_seconds",
                \.heartbeatSeconds,
                .integer(1...3600),
                help: "Workers report this often; one that says nothing for six times as long counts as gone."
            )
            Setting(
                "aggregation_threads",
                \.aggregationThreads,
                .integer(1...256),
                help: "Threads that sum the updates of a round."
            )
        },
        IdentitySection.section.of(\.identity),
    ])

    static func load(_ path: String) throws -> CoordinatorConfiguration {
        let file = try TOMLFile<CoordinatorFile>(path).checked()
        let content = file.content
        let endpoint = try Endpoint(content.listen, key: "\(file.path): listen")
        let certificate = file.resolve(content.identity.certificate)
        return CoordinatorConfiguration(
            consortium: try naming(path) { try IdentityFile.principal(certificate) }.consortium,
            host: endpoint.host,
            port: endpoint.port,
            authority: file.resolve(content.identity.ca),
            certificate: certificate,
            key: file.resolve(content.identity.key),
            revocations: content.identity.revocations(of: file),
            dataDirectory: file.resolve(content.data),
            heartbeatSeconds: content.heartbeatSeconds,
            aggregationThreads: content.aggregationThreads
        )
    }
}
