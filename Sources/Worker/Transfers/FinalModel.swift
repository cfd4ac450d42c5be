import Blobs
import Federation
import Foundation
import Tensors

/// What a campaign came to, as a file of its own beside the store of blobs, which forgets what no round needs.
enum FinalModel {
    static let folder = "models"

    /// Puts the model's blob in place as `models/<campaign>.safetensors`; returns the path. Does nothing where it is
    /// there already.
    static func keep(_ blobs: BlobStore, _ digest: Digest, of campaign: CampaignID, in directory: String) throws
        -> String
    {
        let folder = "\(directory)/\(folder)"
        var path = "\(folder)/\(campaign).safetensors"
        try SystemDisk().makeDirectory(folder)
        _ = try SafetensorsFile(path: blobs.path(of: digest), called: "the final model of \(campaign)")
        if FileManager.default.fileExists(atPath: path) {
            guard try BlobStore.digest(ofFile: path).digest != digest else { return path }
            // What was kept before stays: it may be what this site has worked with.
            path = "\(folder)/\(campaign)-\(digest.short).safetensors"
            guard !FileManager.default.fileExists(atPath: path) else { return path }
        }
        let draft = path + ".new"
        unlink(draft)
        // The same bytes under a second name; a copy where the file system has no such thing.
        if link(blobs.path(of: digest), draft) != 0 {
            try FileManager.default.copyItem(atPath: blobs.path(of: digest), toPath: draft)
        }
        try synchronise(draft)
        try SystemDisk().rename(draft, to: path)
        try SystemDisk().synchronise(directory: folder)
        return path
    }
}
