import Blobs
import Federation
import Foundation

/// What a campaign came to, as a file of its own beside the store of blobs, which forgets what no round needs.
enum FinalModel {
    static let folder = "models"

    /// Puts the model's blob in place as `models/<campaign>.safetensors`; returns the path. Does nothing where it is there already.
    static func keep(_ blobs: BlobStore, _ digest: Digest, of campaign: CampaignID, in directory: String) throws -> String {
        let folder = "\(directory)/\(folder)", path = "\(folder)/\(campaign).safetensors"
        try SystemDisk().makeDirectory(folder)
        if FileManager.default.fileExists(atPath: path), try BlobStore.digest(ofFile: path).digest == digest { return path }
        let draft = path + ".new"
        unlink(draft)
        // The same bytes under a second name; a copy where the file system has no such thing.
        if link(blobs.path(of: digest), draft) != 0 { try FileManager.default.copyItem(atPath: blobs.path(of: digest), toPath: draft) }
        try synchronise(draft)
        try SystemDisk().rename(draft, to: path)
        try SystemDisk().synchronise(directory: folder)
        return path
    }
}
