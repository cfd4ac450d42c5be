/// The values of a file whose tensors are all float32, in the order of its data.
package struct FileValues: ValueSource {
    private let file: SafetensorsFile

    /// - Throws: ``SafetensorsError`` if a tensor is not float32.
    package init(_ file: SafetensorsFile) throws {
        guard file.layout.isAllFloat32 else { throw SafetensorsError("a tensor is not F32", file: file.name) }
        self.file = file
    }

    package var elementCount: Int { file.layout.elementCount }

    package func read(_ values: UnsafeMutableBufferPointer<Float>, from start: Int) throws {
        try file.read(into: UnsafeMutableRawBufferPointer(values), at: start * ElementType.f32.byteCount)
    }
}
