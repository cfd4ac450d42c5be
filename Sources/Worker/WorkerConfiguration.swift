import Demonstrations
import Trainers
import Transport

/// What a worker needs to run; `kumiai worker init` writes it as TOML.
public struct WorkerConfiguration: Equatable, Sendable {
    public var consortium: String
    public var host: String
    public var port: Int
    /// The factory's way out, if it has one.
    public var proxy: ConnectProxy?
    /// Paths of PEM files.
    public var authority: String
    public var certificate: String
    public var key: String
    /// The list of revoked certificates, PEM or DER, if there is one.
    public var revocations: String?
    /// Where models, updates and receipts lie.
    public var dataDirectory: String
    /// A robomimic or ALOHA HDF5 file, or a directory of ALOHA files. Their contents never leave the site.
    public var demonstrations: String
    /// What the data are, where their files do not say it.
    public var declared: DemonstrationFiles.Declaration
    public var threads: Int
    /// Components of a plan's adapters that this site trains; `nil`: as many as the plan has.
    public var rank: Int?
    /// Seconds between two snapshots of a training: what a crash may cost.
    public var snapshotSeconds: Int
    public var upload: TransferPolicy
    public var download: TransferPolicy
    /// The largest model that the site fetches: what a coordinator announces is not believed beyond it.
    public var largestModelBytes: UInt64
    /// What people call the site, in any script; empty: its identifier.
    public var displayName: String
    /// Ends the worker when the campaign has ended, rather than waiting for the next.
    public var exitsWhenFinished: Bool

    /// Where the site says nothing else.
    public static let standardLargestModelBytes: UInt64 = 64_000_000_000

    public init(
        consortium: String,
        host: String,
        port: Int,
        proxy: ConnectProxy? = nil,
        authority: String,
        certificate: String,
        key: String,
        revocations: String? = nil,
        dataDirectory: String,
        demonstrations: String,
        declared: DemonstrationFiles.Declaration = .init(),
        threads: Int = 1,
        rank: Int? = nil,
        snapshotSeconds: Int = 60,
        upload: TransferPolicy = .unlimited,
        download: TransferPolicy = .unlimited,
        largestModelBytes: UInt64 = standardLargestModelBytes,
        displayName: String = "",
        exitsWhenFinished: Bool = false
    ) {
        self.consortium = consortium
        self.host = host
        self.port = port
        self.proxy = proxy
        self.authority = authority
        self.certificate = certificate
        self.key = key
        self.revocations = revocations
        self.dataDirectory = dataDirectory
        self.demonstrations = demonstrations
        self.declared = declared
        self.threads = threads
        self.rank = rank
        self.snapshotSeconds = snapshotSeconds
        self.upload = upload
        self.download = download
        self.largestModelBytes = largestModelBytes
        self.displayName = displayName
        self.exitsWhenFinished = exitsWhenFinished
    }
}

extension WorkerConfiguration {
    var nativeTraining: NativeTrainer.Settings {
        NativeTrainer.Settings(
            demonstrations: demonstrations,
            declared: declared,
            threads: threads,
            rank: rank,
            snapshotSeconds: snapshotSeconds,
            directory: dataDirectory
        )
    }
}

/// Something that the factory's engineer must fix.
public struct WorkerError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public let hint: String
    /// Whether it is for lack of room on the disk: that is said to the consortium's operator too.
    public let isForLackOfRoom: Bool
    public init(_ message: String, hint: String = "", isForLackOfRoom: Bool = false) {
        self.message = message
        self.hint = hint
        self.isForLackOfRoom = isForLackOfRoom
    }
    public var description: String { message }
}
