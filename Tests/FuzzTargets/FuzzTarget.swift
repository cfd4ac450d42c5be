/// A reader of external bytes, as a fuzzer calls it: it may refuse any input, but must never crash.
public struct FuzzTarget: Sendable {
    public let name: String
    /// The longest input to try, in bytes.
    public let maximumBytes: Int
    public let run: @Sendable ([UInt8]) -> Void
    /// Valid inputs to start from, which a fuzzer mutates.
    public let seeds: @Sendable () throws -> [[UInt8]]

    public static let all: [FuzzTarget] = [
        .wire, .safetensors, .adapters, .demonstrations, .certificates, .proofs, .configuration,
    ]

    public static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// Crashes if a property does not hold that would not cause a crash by itself.
func demand(_ holds: Bool, _ message: @autoclosure () -> String) {
    if !holds { fatalError(message()) }
}

/// Writes a temporary file for readers that need a path; in memory if the machine has such a file system.
func withFile<Result>(_ bytes: [UInt8], _ body: (String) -> Result) -> Result {
    let path = ScratchFile.path
    guard let file = fopen(path, "w") else { fatalError("cannot write \(path)") }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
    defer { unlink(path) }
    return body(path)
}

import Foundation

let scratchDirectory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NSTemporaryDirectory()

private enum ScratchFile {
    static let path = "\(scratchDirectory)/kumiai-fuzz-\(getpid())"
}
