/// A model in several safetensors files (shards), with an index that assigns tensors to shards. It is read as if it
/// were one file: tensors in the official writer's order, with the metadata of all shards.
final class ShardedSource: ByteSource {
    private struct Segment {
        /// The byte range within the data of the whole model.
        let range: Range<Int>
        let shard: SafetensorsFile
        /// The offset in the shard's data.
        let offset: Int
    }

    private let header: [UInt8]
    /// In the order of the data, without gaps.
    private let segments: [Segment]
    let byteCount: Int

    private static let maximumShards = 1024

    init(index path: String, called name: String) throws {
        let map = try Self.weightMap(path, name)
        let prefix = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
        let shards = try Self.open(map, in: prefix, name)
        var places: [String: (shard: SafetensorsFile, tensor: TensorDescription)] = [:]
        for (shardName, shard) in shards {
            for tensor in shard.layout.tensors {
                guard map[tensor.name] == shardName else {
                    throw SafetensorsError(
                        "the shard \(shardName) contains \(tensor.name), which the index does not assign to it",
                        file: name
                    )
                }
                places[tensor.name] = (shard, tensor)
            }
        }
        if let missing = map.keys.sorted().first(where: { places[$0] == nil }) {
            throw SafetensorsError(
                "the tensor \(missing) is not in the shard \(map[missing]!), to which the index assigns it",
                file: name
            )
        }
        let layout = TensorLayout(
            places.map { (name: $0.key, type: $0.value.tensor.type, shape: $0.value.tensor.shape) }
        )
        segments = layout.tensors.filter { !$0.range.isEmpty }.map {
            let place = places[$0.name]!
            return Segment(range: $0.range, shard: place.shard, offset: place.tensor.range.lowerBound)
        }
        header = SafetensorsHeader.encode(layout, metadata: try Self.metadata(of: shards, name))
        byteCount = header.count + layout.byteCount
    }

    /// Returns the shard of each tensor.
    private static func weightMap(_ path: String, _ name: String) throws -> [String: String] {
        let bytes = try RegularFile.read(path, called: name, atMost: SafetensorsLimits.headerBytes)
        let json: JSONValue
        do { json = try JSONParser.parse(bytes) } catch {
            throw InputFileError("\(name) is not the index of a model: it is not JSON: \(error)")
        }
        guard let members = json["weight_map"]?.object, !members.isEmpty, members.count <= SafetensorsLimits.tensors
        else {
            throw InputFileError(
                """
                \(name) is not the index of a model: weight_map is missing, or not an object of 1 to \
                \(SafetensorsLimits.tensors) tensors
                """
            )
        }
        var map: [String: String] = [:]
        for member in members {
            // A shard must be in the same directory as its index.
            guard let shard = member.value.string, !shard.isEmpty, !shard.utf8.contains(UInt8(ascii: "/")),
                !shard.utf8.contains(0),
                ![".", ".."].contains(shard)
            else {
                throw InputFileError("\(name): weight_map assigns \(member.name) to something that is not a file name")
            }
            map[member.name] = shard
        }
        return map
    }

    private static func open(_ map: [String: String], in prefix: String, _ name: String) throws -> [(
        name: String, file: SafetensorsFile
    )] {
        let names = Set(map.values).sorted()
        guard names.count <= maximumShards else {
            throw InputFileError("\(name) names \(names.count) shards; expected at most \(maximumShards)")
        }
        return try names.map { shard in
            let path = prefix + shard
            guard RegularFile.kind(of: path) != nil else {
                let tensors = map.filter { $0.value == shard }.keys.sorted()
                let others =
                    tensors.count > 1 ? " and \(tensors.count - 1) other tensor\(tensors.count > 2 ? "s" : "")" : ""
                throw InputFileError(
                    "\(name) assigns \(tensors[0])\(others) to the shard \(shard), which is missing",
                    hint: "copy all shards of the model to \(path)"
                )
            }
            return (shard, try SafetensorsFile(FileSource(path: path, called: path), called: path))
        }
    }

    /// Merges the metadata of all shards, which may repeat an item but not contradict each other.
    private static func metadata(of shards: [(name: String, file: SafetensorsFile)], _ name: String) throws -> [(
        name: String, value: String
    )] {
        var all: [String: String] = [:]
        for shard in shards {
            for entry in shard.file.header.metadata {
                guard all.updateValue(entry.value, forKey: entry.name) ?? entry.value == entry.value else {
                    throw SafetensorsError("its shards disagree about \(entry.name) in their metadata", file: name)
                }
            }
        }
        return all.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    }

    func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        guard offset >= 0, offset <= byteCount, buffer.count <= byteCount - offset else {
            throw SafetensorsError("it ends early")
        }
        var done = 0
        if offset < header.count {
            done = min(buffer.count, header.count - offset)
            buffer.copyBytes(from: header[offset..<offset + done])
        }
        var number = firstSegment(endingAfter: offset + done - header.count)
        while done < buffer.count {
            let segment = segments[number], place = offset + done - header.count
            let count = min(buffer.count - done, segment.range.upperBound - place)
            try segment.shard.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count]),
                at: segment.offset + place - segment.range.lowerBound
            )
            done += count
            number += 1
        }
    }

    /// Finds by bisection the first segment that ends after this byte of the data.
    private func firstSegment(endingAfter place: Int) -> Int {
        var (low, high) = (0, segments.count)
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].range.upperBound > place { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
