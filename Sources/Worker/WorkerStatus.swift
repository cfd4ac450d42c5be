import Federation
import Foundation

/// What `kumiai worker status` reads: written by the running worker with each heartbeat.
public struct WorkerStatus: Codable, Sendable {
    public let site: String
    public let pid: Int
    /// Which process that was, as ``ProcessSighting`` tells it; `nil` in files of earlier versions.
    public let process: String?
    public let connected: Bool
    public let activity: String
    public let round: Int
    public let progress: Double
    public let localLoss: Double
    public let bytesUp: UInt64
    public let bytesDown: UInt64
    public let receipts: Int
    public let atMilliseconds: UInt64
    /// When the coordinator last said anything; `nil`: not in this run.
    public let heardMilliseconds: UInt64?
    /// What the last trouble was, if it is not over.
    public let trouble: String?
    /// Why it waits, where it does; the coordinator's words.
    public let waitsBecause: String?
    /// When this site's certificate ends; `nil` in the files of earlier versions.
    public let certificateEndMilliseconds: UInt64?
    /// That a certificate ends soon, or has ended, or could not be reloaded.
    public let certificateNotice: String?
    /// That the coordinator's clock and this machine's differ.
    public let clockNotice: String?

    static let fileName = "status.json"

    init(
        site: String,
        connected: Bool,
        heartbeat: Heartbeat,
        receipts: Int,
        heardAt: Timestamp?,
        trouble: String?,
        waitsBecause: String? = nil,
        certificateEnd: Timestamp? = nil,
        certificateNotice: String? = nil,
        clockNotice: String? = nil,
        at time: Timestamp
    ) {
        self.site = site
        pid = Int(getpid())
        process = Self.ownProcess
        self.connected = connected
        activity = heartbeat.activity.rawValue
        round = heartbeat.round
        progress = heartbeat.progress
        localLoss = heartbeat.localLoss
        bytesUp = heartbeat.bytesUp
        bytesDown = heartbeat.bytesDown
        self.receipts = receipts
        heardMilliseconds = heardAt?.milliseconds
        self.trouble = trouble
        self.waitsBecause = waitsBecause
        certificateEndMilliseconds = certificateEnd?.milliseconds
        self.certificateNotice = certificateNotice
        self.clockNotice = clockNotice
        atMilliseconds = time.milliseconds
    }

    func write(to directory: String) {
        let path = directory + "/" + Self.fileName
        guard let text = try? JSONEncoder().encode(self) else { return }
        do { try text.write(to: URL(fileURLWithPath: path), options: .atomic) } catch { Self.overwrite(path, text) }
    }

    /// On a full disk, a file that is there has its room: what is wrong must be said then of all times.
    private static func overwrite(_ path: String, _ text: Data) {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard text.withUnsafeBytes({ pwrite(descriptor, $0.baseAddress, $0.count, 0) }) == text.count else { return }
        ftruncate(descriptor, off_t(text.count))
    }

    private static let ownProcess = ProcessSighting(of: Int(getpid())).identity

    /// The status that a worker wrote last; `nil` where none ran in this directory.
    public static func read(from directory: String) throws -> WorkerStatus? {
        let path = directory + "/" + fileName
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            guard errno != ENOENT else { return nil }
            let hint = errno == EACCES ? "ask as the user that the worker runs as" : ""
            throw WorkerError("cannot read \(path): \(String(cString: strerror(errno)))", hint: hint)
        }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            return try JSONDecoder().decode(WorkerStatus.self, from: try file.read(upToCount: maximumBytes) ?? Data())
        } catch {
            throw WorkerError("\(path) is not a worker's status", hint: "a running worker writes it anew within 10 s")
        }
    }

    private static let maximumBytes = 1 << 16

    /// Whether the worker that wrote a status still runs.
    public enum Liveness: String, Codable, Sendable {
        case running
        case stopped
        /// There is a process of its number, and it is not shown whether that is the worker.
        case unknown
    }

    public var liveness: Liveness { liveness(seeing: ProcessSighting(of: pid)) }

    func liveness(seeing sighting: ProcessSighting) -> Liveness {
        guard sighting.exists else { return .stopped }
        // Earlier versions wrote only the number.
        guard let process else { return .running }
        guard let identity = sighting.identity else { return .unknown }
        // Otherwise another process has the number now.
        return identity == process ? .running : .stopped
    }

    /// A running worker writes its status at least every ten seconds; one that is older than this comes from one that
    /// hangs.
    public static let stalenessSeconds = 60
}
