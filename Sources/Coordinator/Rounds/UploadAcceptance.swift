import Blobs
import Federation

extension IncomingBlobs {
    /// Publishes a valid update to the shared store. This happens before its entry is written, so that no entry names a
    /// missing blob.
    ///
    /// - Returns: The given inspection, or why the update cannot be published.
    package func accept(_ update: UpdateManifest, _ inspection: Inspection) -> Inspection {
        guard case .sound = inspection else { return inspection }
        do {
            try publish(update.update, of: update.site)
            return inspection
        } catch let error as BlobError where error.code == .missing {
            // A sweep removed it during the inspection, or the same update was accepted a moment ago.
            return .unsound(UpdateRefusal(.blobMissing, "blob \(update.update.short) is not here any more"))
        } catch {
            return .unavailable("the coordinator cannot keep the update on its disk: \(error)")
        }
    }

    /// Completes acceptances that were interrupted by a crash or a failed write: removes the sites' copies of updates
    /// that the open round has accepted into the shared store.
    ///
    /// - Returns: The sites and the digests of the removed copies.
    @discardableResult
    package func settle(_ state: ConsortiumState, _ blobs: BlobStore) -> [BlobGarbageCollector.Place] {
        guard let inheritance = state.campaign?.round.inheritance else { return [] }
        let manifests = (Array(inheritance.accepted.values) + inheritance.late.values).map(\.update.manifest).filter {
            blobs.contains($0.update)
        }
        .sorted { ($0.update, $0.site) < ($1.update, $1.site) }
        for manifest in manifests { remove(manifest.update, of: manifest.site) }
        return manifests.map { BlobGarbageCollector.Place(digest: $0.update, site: $0.site) }
    }
}
