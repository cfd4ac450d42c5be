import Blobs

/// What a coordinator needs to run; `kumiai coordinator init` writes it as TOML.
public struct CoordinatorConfiguration: Equatable, Sendable {
    public var consortium: String
    public var host: String
    public var port: Int
    /// Paths of PEM files.
    public var authority: String
    public var certificate: String
    public var key: String
    /// The list of revoked certificates, PEM or DER, if there is one.
    public var revocations: String?
    /// Where the ledger, the blobs and the releases lie.
    public var dataDirectory: String
    public var heartbeatSeconds: Int
    public var aggregationThreads: Int

    public init(
        consortium: String,
        host: String,
        port: Int,
        authority: String,
        certificate: String,
        key: String,
        revocations: String? = nil,
        dataDirectory: String,
        heartbeatSeconds: Int = 5,
        aggregationThreads: Int = 2
    ) {
        self.consortium = consortium
        self.host = host
        self.port = port
        self.authority = authority
        self.certificate = certificate
        self.key = key
        self.revocations = revocations
        self.dataDirectory = dataDirectory
        self.heartbeatSeconds = heartbeatSeconds
        self.aggregationThreads = aggregationThreads
    }
}

/// Where things lie in a coordinator's data directory.
public struct CoordinatorFiles: Sendable {
    public let directory: String

    public init(directory: String) { self.directory = directory }

    public var ledger: String { directory + "/ledger.sqlite" }
    public var seal: String { directory + "/ledger.seal" }
    public var logKey: String { directory + "/log.key" }
    public var blobs: String { directory + "/blobs" }
    /// Models that operators send to be registered.
    public var arrivingModels: String { directory + "/arriving-models" }
    public var releases: String { directory + "/releases" }
    public var authority: String { directory + "/ca.pem" }
    /// The newest tree head of a site that the ledger does not extend: nothing is decided while it is here.
    public var missingHistory: String { directory + "/missing-history.note" }
}

extension CoordinatorFiles {
    /// The lock of a coordinator that runs on this directory, which must hold a ledger.
    func lockedForService() throws -> DirectoryLock {
        let disk = SystemDisk()
        guard disk.byteCount(ledger) != nil else {
            throw CoordinatorError(
                "\(directory) holds no ledger",
                hint: disk.byteCount(logKey) != nil
                    ? "log.key is there: restore ledger.sqlite, or mount the disk that it is on"
                    : "found the consortium first: kumiai coordinator init"
            )
        }
        // A disk that filled up, or a copy that broke off, leaves an empty file: SQLite would begin a ledger in it.
        guard disk.byteCount(ledger) != 0 else {
            throw CoordinatorError(
                "\(ledger) is empty",
                hint: "restore it, with the files beside it; nothing was written"
            )
        }
        do {
            return try DirectoryLock(directory)
        } catch let error as BlobError where error.code == .busy {
            throw CoordinatorError(error.message, hint: "another coordinator runs on this directory: stop it first")
        }
    }
}
