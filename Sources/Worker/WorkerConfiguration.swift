import Demonstrations
import Trainers
import Transport

/// The configuration of a worker; `kumiai worker init` writes it as TOML.
package struct WorkerConfiguration: Equatable, Sendable {
    package var consortium: String
    package var host: String
    package var port: Int
    /// The HTTP proxy through which the worker connects; `nil` for none.
    package var proxy: ConnectProxy?
    /// The paths of PEM files.
    package var authority: String
    package var certificate: String
    package var key: String
    /// The path of the list of revoked certificates, PEM or DER; `nil` if there is none.
    package var revocations: String?
    /// The directory for models, updates and receipts.
    package var dataDirectory: String
    /// A robomimic or ALOHA HDF5 file, or a directory of ALOHA files. Their contents never leave the site.
    package var demonstrations: String
    /// Facts about the data that the site's engineer declares because the files may not contain them.
    package var declared: DemonstrationFiles.Declaration
    package var threads: Int
    /// The number of adapter components that this site trains, at most the plan's; `nil` for all of the plan's.
    package var rank: Int?
    /// The time between two snapshots of a training, in seconds: at most this much work is lost by a crash.
    package var snapshotSeconds: Int
    package var upload: TransferPolicy
    package var download: TransferPolicy
    /// The largest model that the site fetches, whatever the coordinator announces.
    package var largestModelBytes: UInt64
    /// The name of the site for people, in any script; empty to show its identifier.
    package var displayName: String
    /// Whether the worker ends when the campaign has ended, instead of waiting for the next one.
    package var exitsWhenFinished: Bool

    /// The default of ``largestModelBytes``.
    package static let standardLargestModelBytes: UInt64 = 64_000_000_000

    package init(
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

/// A problem that the site's engineer must fix.
package struct WorkerError: Error, Equatable, Sendable, CustomStringConvertible {
    package let message: String
    package let hint: String
    /// Whether the reason is a full disk; this is also reported to the coordinator.
    package let isForLackOfRoom: Bool
    /// What the configuration names and the error is about: this file or directory is wrong or missing.
    package let file: String?
    package init(_ message: String, hint: String = "", isForLackOfRoom: Bool = false, file: String? = nil) {
        self.message = message
        self.hint = hint
        self.isForLackOfRoom = isForLackOfRoom
        self.file = file
    }
    package var description: String { message }
}
