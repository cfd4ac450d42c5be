import Federation
import Foundation

/// The status file that `kumiai worker status` reads. A running worker writes it when something changes, and at least
/// every 10 seconds. The properties are its keys, which other programs read: they never change.
package struct WorkerStatus: Codable, Sendable {
    package let site: String
    package let pid: Int
    /// The identity of the process, see ``ProcessSighting``; `nil` in files of earlier versions.
    package let process: String?
    package let connected: Bool
    package let activity: String
    package let round: Int
    package let progress: Double
    package let localLoss: Double
    package let bytesUp: UInt64
    package let bytesDown: UInt64
    package let receipts: Int
    package let atMilliseconds: UInt64
    /// The time of the coordinator's last message; `nil` if there was none in this run.
    package let heardMilliseconds: UInt64?
    /// The current problem, if there is one.
    package let trouble: String?
    /// The reason why the worker waits, as the coordinator gave it; `nil` if it does not wait.
    package let waitsBecause: String?
    /// The end of this site's certificate; `nil` in files of earlier versions.
    package let certificateEndMilliseconds: UInt64?
    /// Set if a certificate ends soon, has ended, or could not be reloaded.
    package let certificateNotice: String?
    /// Set if the coordinator's clock and this machine's clock differ.
    package let clockNotice: String?

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

    /// Overwrites the existing file in place, which usually works even on a full disk, when the status matters most.
    private static func overwrite(_ path: String, _ text: Data) {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard text.withUnsafeBytes({ pwrite(descriptor, $0.baseAddress, $0.count, 0) }) == text.count else { return }
        ftruncate(descriptor, off_t(text.count))
    }

    private static let ownProcess = ProcessSighting(of: Int(getpid())).identity

    /// Reads the last status that a worker wrote; `nil` if no worker has run in this directory.
    ///
    /// - Throws: ``WorkerError`` if the file cannot be read or is not valid.
    package static func read(from directory: String) throws -> WorkerStatus? {
        let path = directory + "/" + fileName
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            guard errno != ENOENT else { return nil }
            let hint = errno == EACCES ? "run this command as the user that runs the worker" : ""
            throw WorkerError("cannot read \(path): \(String(cString: strerror(errno)))", hint: hint)
        }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            return try JSONDecoder().decode(WorkerStatus.self, from: try file.read(upToCount: maximumBytes) ?? Data())
        } catch {
            throw WorkerError("\(path) is not a worker's status", hint: "a running worker rewrites it within 10 s")
        }
    }

    private static let maximumBytes = 1 << 16

    /// Whether the worker that wrote a status still runs.
    package enum Liveness: String, Codable, Sendable {
        case running
        case stopped
        /// There is a process with its number, but the system does not show whether it is the worker.
        case unknown
    }

    package var liveness: Liveness { liveness(seeing: ProcessSighting(of: pid)) }

    func liveness(seeing sighting: ProcessSighting) -> Liveness {
        guard sighting.exists else { return .stopped }
        // Earlier versions wrote only the number.
        guard let process else { return .running }
        guard let identity = sighting.identity else { return .unknown }
        // Otherwise another process has the number now.
        return identity == process ? .running : .stopped
    }

    /// A running worker writes its status at least every ten seconds. If a status is older than this, the worker hangs.
    package static let stalenessSeconds = 60
}
