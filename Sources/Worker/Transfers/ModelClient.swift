import Blobs
import Federation
import Foundation
import Identity
import Ledger
import NIOPosix
import Transport
import Wire

/// Fetches models and releases by name, and sends models; used by sites, operators and auditors.
///
/// Files are accepted only with a proof: the ledger's entry that registered the model, under a tree head that is signed
/// with the ledger's key, and the digest of each file.
package struct ModelClient: Sendable {
    private let dialer: Dialer
    private let consortium: String
    private let meter = TransferMeter()
    /// The ledger key that this participant has seen; `nil` to accept the key that the coordinator's certificate has
    /// signed.
    private let knownLogKey: [UInt8]?

    private let download: TransferPolicy

    package init(_ dialer: Dialer, knownLogKey: [UInt8]? = nil, download: TransferPolicy = .unlimited) {
        self.download = download
        self.dialer = dialer
        consortium = dialer.consortium
        self.knownLogKey = knownLogKey
    }

    /// The transferred fraction of the current file, from 0 to 1.
    package var progress: Double { meter.progress }

    /// Returns the files of a model or a release, checked against the ledger's entry.
    ///
    /// - Throws: `WorkerError` or another error if the proof is not valid; `Refusal` if the coordinator refuses;
    ///   `TransportError` if the connection fails.
    package func listing(of name: ModelName) async throws -> ModelListing {
        try await dialer.withConnection(.bulk, software: BlobTransfer.software) { connection in
            let logKey = try logKey(of: connection)
            guard case .modelDescription(let listing) = try await ask(.describeModel(name), connection) else {
                throw TransportError(.unexpected, "the coordinator did not describe \(name)")
            }
            try check(listing, name, logKey)
            return listing
        }
    }

    private func logKey(of connection: ClientConnection) throws -> [UInt8] {
        guard let welcome = connection.welcome, let certificate = connection.certificate,
            try certificate.vouches(for: welcome.logKey, signature: welcome.logKeySignature)
        else { throw WorkerError("the signature of the coordinator's certificate over its ledger's key is not valid") }
        guard knownLogKey == nil || knownLogKey == welcome.logKey else {
            throw WorkerError(
                "the key of the coordinator's ledger is not the one that this site has seen before",
                hint: "ask the consortium why"
            )
        }
        return welcome.logKey
    }

    private func check(_ listing: ModelListing, _ name: ModelName, _ logKey: [UInt8]) throws {
        let model: ModelReference
        var isRelease = false
        switch try listing.proof.verify(consortium: consortium, logKey: logKey).body {
        case .modelRegistered(let registered, let reference, _) where registered == name: model = reference
        case .releaseCut(let cutting) where cutting.name == name: (model, isRelease) = (cutting.model, true)
        default: throw WorkerError("the coordinator's proof is not for the entry that registered \(name)")
        }
        // Paths must differ in more than upper and lower case, because some file systems do not distinguish them. For a
        // registered model, the ledger proves only one file.
        guard Set(listing.files.map { $0.path.lowercased() }).count == listing.files.count,
            listing.files.count == 1 || (isRelease && listing.files.contains { $0.path == ModelListing.signaturePath }),
            listing.files.contains(where: {
                $0.path == "model.safetensors"
                    && $0.blob == BlobReference(digest: model.digest, byteCount: model.byteCount)
            })
        else {
            throw WorkerError(
                "the coordinator's files are not those of \(name) in its ledger",
                hint: "ask the consortium's auditors"
            )
        }
    }

    /// Fetches the files into `directory`, which is created atomically. If the transfer is interrupted, the bytes that
    /// have arrived are kept in `directory~partial`.
    ///
    /// - Parameters:
    ///   - listing: The files.
    ///   - directory: The path of the directory to create.
    ///   - largestBytes: The limit for all files together.
    ///   - check: Called with the path of all files before `directory` is created. If it throws, nothing is created.
    /// - Throws: `WorkerError` if the files are too large or the directory for partial files is not usable; the error
    ///   of `check`; other errors if the transfer fails or the files cannot be written.
    package func fetch(
        _ listing: ModelListing,
        to directory: String,
        largestBytes: UInt64,
        check: (String) throws -> Void
    ) async throws {
        try checkSize(of: listing, largestBytes: largestBytes)
        let scratch = directory + "~partial", draft = scratch + "/draft"
        try Self.claim(scratch)
        let store = try BlobStore(directory: scratch)
        let transfer = transfer(store, largestBytes: largestBytes)
        for file in listing.files {
            try await transfer.download(file.blob.digest, byteCount: file.blob.byteCount)
        }
        try? FileManager.default.removeItem(atPath: draft)
        defer { try? FileManager.default.removeItem(atPath: draft) }
        for file in listing.files {
            let target = "\(draft)/\(file.path)"
            try SystemDisk().makeDirectory(SystemDisk.folder(of: target))
            try store.export(file.blob.digest, to: target, isShared: true)
            try synchronise(target)
        }
        try check(draft)
        try SystemDisk().rename(draft, to: directory)
        try synchronise(SystemDisk.folder(of: directory))
        try? FileManager.default.removeItem(atPath: scratch)
    }

    /// Creates the directory for partial files, or reuses the one that an earlier fetch left. Any other directory of
    /// this name is not touched.
    private static func claim(_ scratch: String) throws {
        let mark = scratch + "/kumiai-fetch"
        if mkdir(scratch, 0o700) != 0 {
            guard errno == EEXIST else {
                throw WorkerError("cannot create the directory \(scratch): \(String(cString: strerror(errno)))")
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: scratch)
            guard names.isEmpty || names.contains("kumiai-fetch") else {
                throw WorkerError(
                    "\(scratch) exists, but no fetch has created it; it was not touched",
                    hint: "move it away, or choose another path with --out"
                )
            }
        }
        try SystemDisk().store([], at: mark)
    }

    /// Checks the size of all files together before the first one is fetched.
    private func checkSize(of listing: ModelListing, largestBytes: UInt64) throws {
        var left = largestBytes
        for file in listing.files {
            guard file.blob.byteCount <= left else {
                throw WorkerError(
                    "the files of \(listing.name) take more than \(largestBytes) bytes, the limit; nothing was fetched",
                    hint:
                        """
                        if they are meant to be that large, raise the limit with --largest-model-gb; otherwise ask the \
                        coordinator's operator
                        """
                )
            }
            left -= file.blob.byteCount
        }
    }

    /// Sends a model's file and registers it under a name.
    ///
    /// - Parameters:
    ///   - path: The path of the file.
    ///   - name: The name of the model.
    ///   - scratch: A directory for a copy; it is removed at the end.
    /// - Returns: The index of the ledger's entry, and the model.
    /// - Throws: `Refusal` if the coordinator refuses; other errors if the file cannot be read or the transfer fails.
    package func register(_ path: String, as name: ModelName, scratch: String) async throws -> (
        entry: UInt64, model: BlobReference
    ) {
        let store = try BlobStore(directory: scratch)
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let (digest, byteCount) = try store.add(copyOf: path)
        let blob = BlobReference(digest: digest, byteCount: byteCount)
        try await transfer(store, largestBytes: byteCount).upload(digest)
        let entry = try await dialer.withConnection(.bulk, software: BlobTransfer.software) { connection -> UInt64 in
            guard case .recorded(let index) = try await ask(.registerModel(name, blob), connection) else {
                throw TransportError(.unexpected, "the coordinator did not say whether \(name) is registered")
            }
            return index
        }
        return (entry, blob)
    }

    private static let answerSeconds: Int64 = 600

    private func ask(_ message: ClientMessage, _ connection: ClientConnection) async throws -> ServerMessage {
        try await connection.send(message, id: 2)
        let frame = try await withTimeout(.seconds(Self.answerSeconds), "the answer") {
            try await connection.inbox.next()
        }
        guard let frame else { throw TransportError(.closed, "the coordinator closed the connection") }
        if case .refusal(let refusal) = frame.message { throw refusal }
        return frame.message
    }

    private func transfer(_ store: BlobStore, largestBytes: UInt64) -> BlobTransfer {
        BlobTransfer(
            dialer: dialer,
            blobs: store,
            workers: .singleton,
            meter: meter,
            upload: .unlimited,
            download: download,
            check: DownloadCheck(blobs: store, largestBytes: largestBytes),
            clock: { Timestamp(milliseconds: UInt64(Date().timeIntervalSince1970 * 1000)) },
            started: { _, _ in }
        )
    }
}
