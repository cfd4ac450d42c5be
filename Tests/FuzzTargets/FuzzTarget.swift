/// A reader of bytes from outside, as a fuzzer calls it: it may refuse anything, and may crash at nothing.
public struct FuzzTarget: Sendable {
    public let name: String
    /// Longest input worth trying, in bytes.
    public let maximumBytes: Int
    public let run: @Sendable ([UInt8]) -> Void
    /// Inputs to start from: sound ones, for a fuzzer to spoil.
    public let seeds: @Sendable () throws -> [[UInt8]]

    public static let all: [FuzzTarget] = [
        .wire, .safetensors, .adapters, .demonstrations, .certificates, .proofs, .configuration,
    ]

    public static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// A broken promise that is no crash by itself.
func demand(_ holds: Bool, _ message: @autoclosure () -> String) {
    if !holds { fatalError(message()) }
}

/// A file for readers that want a path; in memory where the machine has such a place.
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
