import Federation
import Foundation

/// What `kumiai worker status` reads: written by the running worker with each heartbeat.
public struct WorkerStatus: Codable, Sendable {
    public let site: String
    public let pid: Int
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
    /// When this site's certificate ends; `nil` in the files of earlier versions.
    public let certificateEndMilliseconds: UInt64?
    /// That a certificate ends soon, or has ended, or could not be reloaded.
    public let certificateNotice: String?
    /// That the coordinator's clock and this machine's differ.
    public let clockNotice: String?

    static let fileName = "status.json"

    init(
        site: String, connected: Bool, heartbeat: Heartbeat, receipts: Int, heardAt: Timestamp?, trouble: String?,
        certificateEnd: Timestamp? = nil, certificateNotice: String? = nil, clockNotice: String? = nil, at time: Timestamp
    ) {
        self.site = site
        pid = Int(getpid())
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
        certificateEndMilliseconds = certificateEnd?.milliseconds
        self.certificateNotice = certificateNotice
        self.clockNotice = clockNotice
        atMilliseconds = time.milliseconds
    }

    func write(to directory: String) {
        let path = directory + "/" + Self.fileName
        try? JSONEncoder().encode(self).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// The status that a worker wrote last; `nil` where none ran in this directory.
    public static func read(from directory: String) throws -> WorkerStatus? {
        guard let data = FileManager.default.contents(atPath: directory + "/" + fileName) else { return nil }
        return try JSONDecoder().decode(WorkerStatus.self, from: data)
    }

    /// Whether the process that wrote it is still there.
    public var isRunning: Bool { kill(pid_t(pid), 0) == 0 }
}
