import Contracts
import Blobs
import Federation
import Identity
import Tensors
import Updates

/// What a coordinator announces is compared with what the site can know, before a byte is asked for or room is taken:
/// with its plan, with the site's own limit, and with the room on its disk.
struct DownloadCheck: Sendable {
    let blobs: BlobStore
    /// The largest file that the site takes.
    let largestBytes: UInt64
    /// Bytes that are free where a path lies; `nil` where the system does not say.
    var freeBytes: @Sendable (String) -> UInt64? = SystemDisk.freeBytes

    /// Whether what a round starts from can have the size that is announced.
    func check(_ task: TrainingTask) throws {
        for blob in task.blobs { try Self.checkSize(blob.byteCount, largestBytes: largestBytes) }
        guard task.adapter == nil || task.training.lora != nil else {
            throw WorkerError("the coordinator announces an adapter, and the plan has none")
        }
        // The plan names a layout by its digest; a file of it, from an earlier round, says how many bytes it takes.
        guard let base = layout(task.model.layout) else { return }
        try check(task.model.byteCount, holds: base, "model")
        guard let adapter = task.adapter,
            let layout = TrainedTensors(task.training, base: base, round: task.key.round).adapter?.layout
        else { return }
        try check(adapter.byteCount, holds: layout, "adapter")
    }

    /// Whether the site takes a blob of this size, and has room for what is missing of it.
    func check(_ digest: Digest, byteCount: UInt64) throws {
        guard blobs.byteCount(of: digest) != byteCount else { return }
        try Self.checkSize(byteCount, largestBytes: largestBytes)
        let missing = byteCount - min(byteCount, blobs.unfinishedByteCount(digest))
        // Where the system does not say, the disk itself will, as with any file.
        guard let free = freeBytes(blobs.directory), missing > free else { return }
        throw WorkerError(
            "the disk is too full: \(missing) bytes are to be fetched, and \(free) are free in \(blobs.directory)",
            hint: "make room there; a worker goes on by itself, and fetch goes on where it was when it is called again",
            isForLackOfRoom: true
        )
    }

    static func checkSize(_ byteCount: UInt64, largestBytes: UInt64) throws {
        guard byteCount >= 8, byteCount <= UInt64(Int.max) else {
            throw WorkerError("the coordinator announces a model of \(byteCount) bytes")
        }
        guard byteCount <= largestBytes else {
            throw WorkerError(
                """
                the coordinator announces a model of \(byteCount) bytes, and this site takes at most \(largestBytes); \
                nothing was fetched
                """,
                hint:
                    "where the consortium's model is that large, raise largest_model_gb in the [transfer] section "
                    + "of worker.toml; otherwise ask the coordinator's operator"
            )
        }
    }

    /// A file is its tensors and a header of a limited size.
    private func check(_ byteCount: UInt64, holds layout: TensorLayout, _ what: String) throws {
        let least = UInt64(layout.byteCount) + 8
        let most = least + UInt64(SafetensorsLimits.headerBytes)
        guard (least...most).contains(byteCount) else {
            throw WorkerError(
                "the coordinator announces a\(what == "adapter" ? "n" : "") \(what) of \(byteCount) bytes, and "
                    + "one of this plan has \(least) to \(most); nothing was fetched",
                hint: "ask the coordinator's operator: what it announces is not what the plan says"
            )
        }
    }

    /// A layout with this digest, where a file of it is here.
    private func layout(_ digest: Digest) -> TensorLayout? {
        for blob in (try? blobs.all()) ?? [] {
            guard let layout = try? SafetensorsFile(path: blobs.path(of: blob)).layout,
                Digest(of: layout.canonicalBytes) == digest
            else { continue }
            return layout
        }
        return nil
    }
}
