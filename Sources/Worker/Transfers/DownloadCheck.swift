import Contracts
import Blobs
import Federation
import Identity
import Tensors
import Updates

/// Checks the sizes that a coordinator announces before anything is fetched or disk space is reserved: against the
/// plan, the site's own limit, and the free disk space.
struct DownloadCheck: Sendable {
    let blobs: BlobStore
    /// The largest file that the site fetches.
    let largestBytes: UInt64
    /// Returns the free bytes of a store; `nil` if they are not known.
    var freeBytes: @Sendable (BlobStore) -> UInt64? = { $0.freeBytes }

    /// Checks that the model and the adapter of a task can have the announced sizes.
    ///
    /// - Throws: ``WorkerError`` if they cannot.
    func check(_ task: TrainingTask) throws {
        for blob in task.blobs { try Self.checkSize(blob.byteCount, largestBytes: largestBytes) }
        guard task.adapter == nil || task.training.lora != nil else {
            throw WorkerError("the coordinator announces an adapter, but the plan has none")
        }
        // A task contains only the digest of the layout. If a file of an earlier round has this layout, its size is
        // known.
        guard let base = layout(task.model.layout) else { return }
        try check(task.model.byteCount, holds: base, "model")
        guard let adapter = task.adapter,
            let layout = TrainedTensors(task.training, base: base, round: task.key.round).adapter?.layout
        else { return }
        try check(adapter.byteCount, holds: layout, "adapter")
    }

    /// Checks that the site accepts a blob of this size, and has enough free disk space for the missing part.
    ///
    /// - Throws: ``WorkerError`` if it does not.
    func check(_ digest: Digest, byteCount: UInt64) throws {
        guard blobs.byteCount(of: digest) != byteCount else { return }
        try Self.checkSize(byteCount, largestBytes: largestBytes)
        let missing = byteCount - min(byteCount, blobs.unfinished()[digest] ?? 0)
        // If the system does not report the free space, a full disk is noticed while writing.
        guard let free = freeBytes(blobs), missing > free else { return }
        throw WorkerError(
            "the disk is too full: \(missing) bytes must be fetched, but only \(free) are free in \(blobs.place)",
            hint: "free disk space there; a worker continues by itself, and fetch resumes when it is run again",
            isForLackOfRoom: true
        )
    }

    static func checkSize(_ byteCount: UInt64, largestBytes: UInt64) throws {
        guard byteCount >= 8, byteCount <= UInt64(Int.max) else {
            throw WorkerError("the coordinator announces a model of \(byteCount) bytes; expected 8 to \(Int.max)")
        }
        guard byteCount <= largestBytes else {
            throw WorkerError(
                """
                the coordinator announces a model of \(byteCount) bytes, but this site accepts at most \
                \(largestBytes); nothing was fetched
                """,
                hint:
                    "if the consortium's model is meant to be that large, raise largest_model_gb in the [transfer] "
                    + "section of worker.toml; otherwise ask the coordinator's operator"
            )
        }
    }

    /// Checks the size of a file, which consists of its tensors and a header of limited size.
    private func check(_ byteCount: UInt64, holds layout: TensorLayout, _ what: String) throws {
        let least = UInt64(layout.byteCount) + 8
        let most = least + UInt64(SafetensorsLimits.headerBytes)
        guard (least...most).contains(byteCount) else {
            throw WorkerError(
                "the coordinator announces a\(what == "adapter" ? "n" : "") \(what) of \(byteCount) bytes; "
                    + "expected \(least) to \(most) by the plan; nothing was fetched",
                hint: "ask the coordinator's operator: the announced size does not match the plan"
            )
        }
    }

    /// Returns the layout with this digest, if a stored file has it.
    private func layout(_ digest: Digest) -> TensorLayout? {
        for blob in (try? blobs.all()) ?? [] {
            guard let layout = try? SafetensorsFile(blobs, blob).layout,
                Digest(of: layout.canonicalBytes) == digest
            else { continue }
            return layout
        }
        return nil
    }
}
