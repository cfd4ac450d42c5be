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
    /// Where models, updates and receipts lie.
    public var dataDirectory: String
    /// A robomimic HDF5 file. Its contents never leave the site.
    public var demonstrations: String
    public var threads: Int
    /// Seconds between two snapshots of a training: what a crash may cost.
    public var snapshotSeconds: Int
    public var upload: TransferPolicy
    public var download: TransferPolicy
    /// Ends the worker when the campaign has ended, rather than waiting for the next.
    public var exitsWhenFinished: Bool

    public init(
        consortium: String, host: String, port: Int, proxy: ConnectProxy? = nil, authority: String, certificate: String, key: String,
        dataDirectory: String, demonstrations: String, threads: Int = 1, snapshotSeconds: Int = 60,
        upload: TransferPolicy = .unlimited, download: TransferPolicy = .unlimited, exitsWhenFinished: Bool = false
    ) {
        self.consortium = consortium
        self.host = host
        self.port = port
        self.proxy = proxy
        self.authority = authority
        self.certificate = certificate
        self.key = key
        self.dataDirectory = dataDirectory
        self.demonstrations = demonstrations
        self.threads = threads
        self.snapshotSeconds = snapshotSeconds
        self.upload = upload
        self.download = download
        self.exitsWhenFinished = exitsWhenFinished
    }
}

/// Something that the factory's engineer must mend.
public struct WorkerError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public let hint: String
    public init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }
    public var description: String { message }
}
