import Federation
import Foundation
import Identity
import Transport
import Worker

/// worker.toml
struct WorkerFile: RoleFile {
    var coordinator = ""
    var proxy = ""
    var data = "data"
    var exitWhenFinished = false
    var displayName = ""
    var identity = IdentitySection()
    var training = TrainingSection()
    var transfer = TransferSection()

    struct TrainingSection {
        var demonstrations = ""
        var threads = 1
        var snapshotSeconds = 60
        var embodiment = ""
        var instruction = ""
        var controlHertz = 0.0
        var rank = 0
    }

    struct TransferSection {
        var uploadHours = ""
        var downloadHours = ""
        var uploadRate = 0.0
        var downloadRate = 0.0
        var largestModel = Double(WorkerConfiguration.standardLargestModelBytes) / 1e9
    }

    var paths: [(key: String, path: String)] { identity.paths + [("data", data)] }

    static let name = "worker.toml"
    static let author = "kumiai worker init"
    static let listing = "kumiai worker settings"
    static let title = "A Kumiai worker. Paths count from this file's directory."
    static let draft = WorkerFile()

    static func load(_ path: String) throws -> WorkerConfiguration {
        let file = try TOMLFile<WorkerFile>(path).checked()
        let content = file.content
        let endpoint = try Endpoint(content.coordinator, key: "\(file.path): coordinator")
        let proxy = try proxy(file)
        let certificate = file.resolve(content.identity.certificate)
        return WorkerConfiguration(
            consortium: try naming(path) { try IdentityFile.principal(certificate) }.consortium,
            host: endpoint.host,
            port: endpoint.port,
            proxy: proxy,
            authority: file.resolve(content.identity.ca),
            certificate: certificate,
            key: file.resolve(content.identity.key),
            revocations: content.identity.revocations(of: file),
            dataDirectory: file.resolve(content.data),
            demonstrations: file.resolve(content.training.demonstrations),
            declared: .init(
                embodiment: content.training.embodiment,
                instruction: content.training.instruction,
                controlHertz: content.training.controlHertz
            ),
            threads: content.training.threads,
            rank: content.training.rank == 0 ? nil : content.training.rank,
            snapshotSeconds: content.training.snapshotSeconds,
            upload: policy(content.transfer.uploadHours, content.transfer.uploadRate),
            download: policy(content.transfer.downloadHours, content.transfer.downloadRate),
            largestModelBytes: UInt64(content.transfer.largestModel * 1e9),
            displayName: content.displayName,
            exitsWhenFinished: content.exitWhenFinished
        )
    }

    /// All that is needed to look at a worker from outside.
    static func dataDirectory(_ path: String) throws -> String {
        let file = try TOMLFile<WorkerFile>(path)
        _ = try proxy(file)
        return file.resolve(file.content.data)
    }

    private static func policy(_ hours: String, _ rate: Double) -> TransferPolicy {
        var policy = TransferPolicy.unlimited
        policy.hours = DailyHours(hours)
        if rate > 0 { policy.megabitsPerSecond = rate }
        return policy
    }

    private static func proxy(_ file: TOMLFile<WorkerFile>) throws -> ConnectProxy? {
        guard !file.content.proxy.isEmpty else { return nil }
        let proxy = try proxy(file.content.proxy, file.path)
        if proxy.authorization != nil { try requirePrivate(file.path) }
        return proxy
    }

    /// `http://[user:password@]host:port`
    private static func proxy(_ text: String, _ path: String) throws -> ConnectProxy {
        guard let url = URLComponents(string: text), url.scheme == "http", let host = url.host, let port = url.port,
            url.path.isEmpty || url.path == "/"
        else {
            throw UsageError(
                "\(path): proxy: expected http://host:port",
                hint: "for example \"http://10.0.0.1:3128\"; \"\" is none"
            )
        }
        let authorization = url.user.map { "Basic " + Data("\($0):\(url.password ?? "")".utf8).base64EncodedString() }
        return ConnectProxy(
            host: host.trimmingCharacters(in: CharacterSet(charactersIn: "[]")),
            port: port,
            authorization: authorization
        )
    }

    /// A proxy's password must not be readable by this machine's other users.
    private static func requirePrivate(_ path: String) throws {
        let mode = (try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int) ?? 0o777
        guard mode & 0o077 == 0 else {
            throw UsageError(
                "\(path) has the password of a proxy, and others than its owner may read it",
                hint: "chmod 600 \(path)"
            )
        }
    }
}
