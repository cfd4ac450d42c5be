import Contracts

/// Reduces images by averaging squares of pixels.
enum ImageShrinking {
    /// - Parameters:
    ///   - images: count × factor·height × factor·width × 3.
    ///   - count: The number of images.
    ///   - camera: The camera with the target size.
    ///   - factor: The ratio of the sizes.
    /// - Returns: count × height × width × 3.
    static func average(_ images: [UInt8], count: Int, to camera: Camera, factor: Int) -> [UInt8] {
        let (height, width, square) = (camera.height, camera.width, UInt32(factor * factor))
        var out = [UInt8](repeating: 0, count: count * camera.byteCount)
        for image in 0..<count {
            for row in 0..<height {
                for column in 0..<width {
                    for channel in 0..<3 {
                        var sum: UInt32 = 0
                        for y in 0..<factor {
                            let line = ((image * height + row) * factor + y) * width * factor
                            for x in 0..<factor { sum += UInt32(images[(line + column * factor + x) * 3 + channel]) }
                        }
                        out[((image * height + row) * width + column) * 3 + channel] = UInt8(
                            (sum + square / 2) / square
                        )
                    }
                }
            }
        }
        return out
    }
}
