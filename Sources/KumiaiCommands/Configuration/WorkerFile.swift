import Federation
import Foundation
import Transport
import Worker

/// worker.toml
struct WorkerFile: RoleFile {
    struct TrainingSection: Decodable {
        let demonstrations: String
        let threads: Int
        let snapshot_seconds: Int?
        let embodiment: String?
        let instruction: String?
        let control_hz: Decimal?
        let rank: Int?
    }
    /// Each may be missing: no limit.
    struct TransferSection: Decodable {
        let upload_hours: String?
        let upload_mbit_per_s: Decimal?
        let download_hours: String?
        let download_mbit_per_s: Decimal?
        let largest_model_gb: Decimal?
    }

    let coordinator: String
    let proxy: String?
    let data: String
    let exit_when_finished: Bool
    let display_name: String?
    let identity: IdentitySection
    let training: TrainingSection
    let transfer: TransferSection?

    static let name = "worker.toml"
    static let author = "kumiai worker init"

    static func load(_ path: String) throws -> WorkerConfiguration {
        let file = try TOMLFile<WorkerFile>(path)
        let content = file.content
        let endpoint = try Endpoint(content.coordinator, key: "coordinator")
        let way = try proxy(file)
        guard (1...256).contains(content.training.threads) else {
            throw UsageError("\(path): training.threads: expected 1 to 256")
        }
        let certificate = file.resolve(content.identity.certificate)
        return WorkerConfiguration(
            consortium: try Credentials.principal(ofCertificate: certificate).consortium,
            host: endpoint.host,
            port: endpoint.port,
            proxy: way,
            authority: file.resolve(content.identity.ca),
            certificate: certificate,
            key: file.resolve(content.identity.key),
            revocations: content.identity.revocations(of: file),
            dataDirectory: file.resolve(content.data),
            demonstrations: file.resolve(content.training.demonstrations),
            declared: .init(
                embodiment: content.training.embodiment ?? "",
                instruction: content.training.instruction ?? "",
                controlHertz: try controlHertz(content.training.control_hz?.value ?? 0, path)
            ),
            threads: content.training.threads,
            rank: try rank(content.training.rank ?? 0, path),
            snapshotSeconds: try snapshotSeconds(content.training.snapshot_seconds ?? 60, path),
            upload: try policy(content.transfer?.upload_hours, content.transfer?.upload_mbit_per_s, "upload", path),
            download: try policy(
                content.transfer?.download_hours,
                content.transfer?.download_mbit_per_s,
                "download",
                path
            ),
            largestModelBytes: try largestModel(content.transfer?.largest_model_gb, path),
            displayName: try displayName(content.display_name ?? "", path),
            exitsWhenFinished: content.exit_when_finished
        )
    }

    /// All that is needed to look at a worker from outside.
    static func dataDirectory(_ path: String) throws -> String {
        let file = try TOMLFile<WorkerFile>(path)
        _ = try proxy(file)
        return file.resolve(file.content.data)
    }

    private static func proxy(_ file: TOMLFile<WorkerFile>) throws -> ConnectProxy? {
        guard let text = file.content.proxy, !text.isEmpty else { return nil }
        let proxy = try proxy(text, file.path)
        if proxy.authorization != nil { try requirePrivate(file.path) }
        return proxy
    }

    /// A proxy's password is the factory's, and no business of this machine's other users.
    private static func requirePrivate(_ path: String) throws {
        let mode = (try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int) ?? 0o777
        guard mode & 0o077 == 0 else {
            throw UsageError(
                "\(path) has the password of a proxy, and others than its owner may read it",
                hint: "chmod 600 \(path)"
            )
        }
    }

    private static func displayName(_ name: String, _ path: String) throws -> String {
        guard name.utf8.count <= Heartbeat.displayNameBytes else {
            throw UsageError(
                "\(path): display_name has \(name.utf8.count) bytes; expected at most \(Heartbeat.displayNameBytes)"
            )
        }
        return name
    }

    /// 0: as the plan says.
    private static func rank(_ rank: Int, _ path: String) throws -> Int? {
        guard (0...PlanLimits.loraRank).contains(rank) else {
            throw UsageError("\(path): training.rank: expected 0 to \(PlanLimits.loraRank)")
        }
        return rank == 0 ? nil : rank
    }

    /// 0: not said.
    private static func controlHertz(_ hertz: Double, _ path: String) throws -> Double {
        guard (0...10_000).contains(hertz) else {
            throw UsageError("\(path): training.control_hz: expected 0 to 10000")
        }
        return hertz
    }

    private static func snapshotSeconds(_ seconds: Int, _ path: String) throws -> Int {
        guard (1...86_400).contains(seconds) else {
            throw UsageError("\(path): training.snapshot_seconds: expected 1 to 86400")
        }
        return seconds
    }

    private static func policy(_ hours: String?, _ rate: Decimal?, _ name: String, _ path: String) throws
        -> TransferPolicy
    {
        var policy = TransferPolicy.unlimited
        if let hours, !hours.isEmpty {
            guard let parsed = DailyHours(hours) else {
                throw UsageError(
                    "\(path): transfer.\(name)_hours: expected HH:MM-HH:MM, found \"\(hours)\"",
                    hint: "for example \"22:00-06:00\"; \"\" is always"
                )
            }
            policy.hours = parsed
        }
        if let rate = rate?.value, rate != 0 {
            guard (0.01...1e6).contains(rate) else {
                throw UsageError(
                    "\(path): transfer.\(name)_mbit_per_s: expected 0.01 to 1000000",
                    hint: "0 is as fast as the link is"
                )
            }
            policy.megabitsPerSecond = rate
        }
        return policy
    }

    private static func largestModel(_ gigabytes: Decimal?, _ path: String) throws -> UInt64 {
        guard let gigabytes = gigabytes?.value else { return WorkerConfiguration.standardLargestModelBytes }
        guard (0.0001...1e6).contains(gigabytes) else {
            throw UsageError(
                "\(path): transfer.largest_model_gb is \(gigabytes), expected 0.0001 to 1000000",
                hint: "in units of 1,000,000,000 bytes"
            )
        }
        return UInt64(gigabytes * 1e9)
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

    static func text(coordinator: String, demonstrations: String, exitWhenFinished: Bool = false) -> String {
        """
        # A Kumiai worker. Paths count from this file's directory. Unknown keys are errors.

        # The worker only ever connects outwards, to this address.
        coordinator = \(coordinator.tomlQuoted)

        # The factory's HTTP proxy, which must allow CONNECT to that address: "http://[user:password@]host:port"; "" \
        is none.
        proxy = ""

        # Models, the outbox, receipts, and sent.jsonl: a line for everything that left this site.
        data = "data"

        # Ends the worker when a campaign has ended, rather than waiting for the next.
        exit_when_finished = \(exitWhenFinished)

        # What people call this site, in any script; it is shown beside its identifier.
        display_name = ""

        # PEM files: the consortium's CA, and this site's certificate and key. The key never leaves this machine.
        [identity]
        \(IdentitySection.text)

        [training]
        # A robomimic or ALOHA HDF5 file, or a directory of ALOHA files. They are read here and nowhere else.
        demonstrations = \(demonstrations.tomlQuoted)
        threads = 1
        # How often a training in progress is saved: what a crash may cost.
        snapshot_seconds = 60
        # What the data are, where their files do not say it: the robot, the instruction that they follow, in any \
        language, and
        # the steps a second; "" and 0 are not said.
        embodiment = ""
        instruction = ""
        control_hz = 0.0
        # Components of an adapter that this site trains, where a plan has adapters; 0: as many as the plan says. \
        Fewer take
        # less memory and send less.
        rank = 0

        # When models and updates may cross the link, and how fast. Heartbeats always may: they are a few bytes.
        [transfer]
        # In this machine's time, for example "22:00-06:00"; "" is always.
        upload_hours = ""
        download_hours = ""
        # Megabits a second; 0 is as fast as the link is.
        upload_mbit_per_s = 0.0
        download_mbit_per_s = 0.0
        # The largest model that this site fetches, in units of 1,000,000,000 bytes; a larger one is refused before \
        the first byte.
        largest_model_gb = 64.0

        """
    }
}
