import Blobs
import Federation
import Foundation
import Tensors

/// The final model of a campaign, as a separate file: the blob store removes everything that no round needs.
enum FinalModel {
    static let folder = "models"

    /// Stores the model's blob as `models/<campaign>.safetensors`, if it is not there yet.
    ///
    /// - Returns: The path.
    /// - Throws: An error if the blob is not a safetensors file, or if the file cannot be written.
    static func keep(_ blobs: BlobStore, _ digest: Digest, of campaign: CampaignID, in directory: String) throws
        -> String
    {
        let folder = "\(directory)/\(folder)"
        var path = "\(folder)/\(campaign).safetensors"
        try SystemDisk().makeDirectory(folder)
        _ = try SafetensorsFile(blobs, digest, called: "the final model of \(campaign)")
        if FileManager.default.fileExists(atPath: path) {
            guard try BlobStore.digest(ofFile: path).digest != digest else { return path }
            // An existing file is not replaced, because the site may use it.
            path = "\(folder)/\(campaign)-\(digest.short).safetensors"
            guard !FileManager.default.fileExists(atPath: path) else { return path }
        }
        let draft = path + ".new"
        unlink(draft)
        try blobs.export(digest, to: draft, isShared: true)
        try synchronise(draft)
        try SystemDisk().rename(draft, to: path)
        try SystemDisk().synchronise(directory: folder)
        return path
    }
}
