import Blobs
import Contracts
import Federation
import Tensors
import Updates

/// Checks an update's file against its manifest and the plan, and computes its norm.
public struct UpdateContents {
    private let training: Training
    private let compression: Compression
    private let base: TensorLayout

    /// Makes a check for the updates of one campaign.
    ///
    /// - Parameters:
    ///   - training: The plan's training section.
    ///   - compression: The plan's form of updates.
    ///   - base: The layout of the campaign's base model.
    public init(_ training: Training, _ compression: Compression, base: TensorLayout) {
        self.training = training
        self.compression = compression
        self.base = base
    }

    /// Returns a refusal if the store has no file of the manifest's size; `nil` if it has one.
    ///
    /// - Parameters:
    ///   - manifest: The update's manifest.
    ///   - store: The store that should have the update's file.
    public static func absence(of manifest: UpdateManifest, in store: BlobStore) -> UpdateRefusal? {
        guard store.byteCount(of: manifest.update) != manifest.updateByteCount else { return nil }
        return UpdateRefusal(.blobMissing, "blob \(manifest.update.short) was not uploaded, or has another size")
    }

    /// Inspects every value of the update's file in `store`, or uses the scan that was made when it arrived.
    ///
    /// - Parameters:
    ///   - manifest: The update's manifest.
    ///   - store: The store with the update's file.
    ///   - scanned: A scan of exactly these bytes; if `nil`, the file is read.
    /// - Returns: The norm, or what is wrong with the update.
    /// - Throws: `BlobError` if the file is damaged or cannot be read, which is not the update's fault.
    public func inspect(_ manifest: UpdateManifest, in store: BlobStore, scanned: ScannedUpdate? = nil) throws
        -> Inspection
    {
        if let absence = Self.absence(of: manifest, in: store) { return .unsound(absence) }
        let format = UpdateFormat(TrainedTensors(training, base: base, round: manifest.key.round), compression)
        do {
            let norm = try scanned.flatMap(format.norm) ?? readNorm(manifest.update, in: store, format)
            guard norm.isFinite else {
                return .unsound(UpdateRefusal(.notFinite, "the update has values that are not finite"))
            }
            return .sound(norm: norm)
        } catch let error as UpdateFormatError {
            return .unsound(UpdateRefusal(.wrongLayout, error.message))
        } catch let error as SafetensorsError {
            return .unsound(UpdateRefusal(.malformed, "\(error)"))
        }
    }

    /// Reads the file, after a check that its bytes are still those that the site sent: a site is not refused, and no norm
    /// is recorded, for what a disk has changed.
    private func readNorm(_ update: Digest, in store: BlobStore, _ format: UpdateFormat) throws -> Double {
        try store.verify(update)
        return try format.reader(SafetensorsFile(store, update)).inspectedNorm()
    }
}
