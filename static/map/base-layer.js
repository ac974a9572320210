/*
 * The district's own base map: a Leaflet layer that draws the compact files of district/geo/basemap.py on canvas
 * tiles. No tile server, no foreign host.
 *
 *   const ground = new DistrictBase.Model(baseJson);
 *   new DistrictBase.Layer(ground).addTo(map);
 *
 * Names are laid out once a zoom level for the whole district, so that a name crossing the edge of a tile is the
 * same name in both tiles.
 */
(function (global) {
  'use strict';

  const FONT = '"PingFang SC", "Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "Hiragino Sans GB", sans-serif';
  const OUTSIDE = '#dfe9d6';
  const TOWN = '#f6f3ea';
  const BUILT = new Set(['residential', 'bungalow', 'industrial', 'commercial', 'government', 'hospital', 'market', 'school', 'construction', 'demolition', 'sports']);
  const EARTH = 40075016.686;

  const FILL = {
    'background': '#cbe2b9',
    'forest': '#c4deb0',
    'landuse:farmland': '#f2efd2',
    'landuse:residential': '#f3ece2',
    'landuse:bungalow': '#f1e4d3',
    'landuse:industrial': '#e9e4ea',
    'landuse:green': '#dbecc8',
    'landuse:commercial': '#f6e7df',
    'landuse:government': '#efe1ea',
    'landuse:demolition': '#e8dccb',
    'landuse:hospital': '#f9dcdc',
    'landuse:market': '#f6dfc8',
    'landuse:sports': '#cfe8d6',
    'landuse:school': '#f5eec6',
    'landuse:construction': '#e6dcc8',
    'landuse:village': '#f2e6d2',
    'landuse:forest': '#cbe2b9',
    'landuse': '#f4f0e6',
    'park': '#bfe0a8',
    'park:square': '#e6dcc0',
    'water': '#a7d0ee',
  };
  const EDGE = { 'park': '#a5cf8b', 'park:square': '#d9cba6', 'water': '#8fc0e4' };
  const BUILDING = {
    apartment: ['#d8c4b0', '#c2aa92'],
    tower: ['#d0b8a4', '#b89d85'],
    commercial: ['#dcb9a8', '#c69c88'],
    house: ['#dccfba', '#c7b79d'],
    industrial: ['#c6bdce', '#aea3b8'],
    public: ['#c6abb5', '#ab8d98'],
  };

  // Width of a road in pixels at zoom 12, 13, ... where its true width would be too thin to see or to tap.
  const ROAD = {
    main: { fill: '#fbe3a3', casing: '#d9a441', widths: [3.4, 5.2, 8.5, 12, 16], rim: 1.1, from: 10 },
    street: { fill: '#ffffff', casing: '#cfc8b8', widths: [1.4, 2.6, 5, 8, 11], rim: 0.9, from: 12 },
    lane: { fill: '#ffffff', casing: '#d8d1c2', widths: [0, 0.9, 2.2, 4, 6.5], rim: 0.8, from: 13 },
    rural: { fill: '#fdf3d8', casing: '#d9cda8', widths: [1.2, 2, 3.2, 4.5, 7], rim: 0.9, from: 11 },
  };

  const ROAD_NAME = {
    main: { from: 13, size: [12, 13, 14, 15, 16], weight: 600, colour: '#4d3a0c', halo: '#fdeec2', every: 430 },
    street: { from: 14, size: [11, 12, 12, 13, 14], weight: 400, colour: '#4a4336', halo: '#ffffff', every: 400 },
    lane: { from: 15, size: [10, 10, 11, 12, 12], weight: 400, colour: '#5b5345', halo: '#ffffff', every: 380 },
    rural: { from: 13, size: [11, 11, 12, 12, 13], weight: 400, colour: '#6a5d3a', halo: '#fdf6e2', every: 520 },
  };

  // from: first zoom with the dot; named: first zoom with the name; rank: who comes first when names collide.
  const POI = {
    station: { colour: '#2f54b5', from: 13, named: 13, rank: 1 },
    hospital: { colour: '#c62f3b', from: 14, named: 14, rank: 2 },
    government: { colour: '#8d2a6b', from: 14, named: 14, rank: 3 },
    square: { colour: '#2c7a4b', from: 14, named: 14, rank: 3 },
    school: { colour: '#8a6416', from: 14, named: 14, rank: 4 },
    market: { colour: '#b3621a', from: 14, named: 14, rank: 4 },
    bridge: { colour: '#4f4a42', from: 15, named: 15, rank: 6 },
    landmark: { colour: '#4f4a42', from: 14, named: 14, rank: 5 },
    shop: { colour: '#b3621a', from: 15, named: 15, rank: 7 },
  };

  // Outlines on a grid of 24, from Tabler Icons (MIT, see static/shared/LICENSE-icons).
  const SIGN = {
    station: 'M21 13c0-3.87-3.37-7-10-7h-8 M3 15h16a2 2 0 0 0 2-2 M3 6v5h17.5 M3 11v4 M8 11v-5 M13 11v-4.5 M3 19h18',
    hospital: 'M12 5v14 M5 12h14',
    government: 'M3 21h18 M3 10h18 M5 6l7-3l7 3 M4 10v11 M20 10v11 M8 14v3 M12 14v3 M16 14v3',
    school: 'M22 9l-10-4l-10 4l10 4l10-4v6 M6 10.6v5.4a6 3 0 0 0 12 0v-5.4',
    market: 'M3 21h18 M3 7v1a3 3 0 0 0 6 0v-1m0 1a3 3 0 0 0 6 0v-1m0 1a3 3 0 0 0 6 0v-1h-18l2-4h14l2 4 M5 21v-10.15 M19 21v-10.15',
    shop: 'M6.331 8h11.339a2 2 0 0 1 1.977 2.304l-1.255 8.152a3 3 0 0 1-2.966 2.544h-6.852a3 3 0 0 1-2.965-2.544l-1.255-8.152a2 2 0 0 1 1.977-2.304z M9 11v-5a3 3 0 0 1 6 0v5',
  };

  // ---------------------------------------------------------------- the model: what the files hold, unpacked

  const mercatorX = (longitude) => (longitude + 180) / 360;
  const mercatorY = (latitude) => {
    const sine = Math.sin((latitude * Math.PI) / 180);
    return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
  };

  class Shape {
    constructor(lines, name, extra) {
      this.lines = lines; // Float64Array of x, y on the Mercator square 0..1
      this.name = name || '';
      this.extra = extra;
      let west = Infinity, north = Infinity, east = -Infinity, south = -Infinity;
      for (const line of lines) {
        for (let i = 0; i < line.length; i += 2) {
          if (line[i] < west) west = line[i];
          if (line[i] > east) east = line[i];
          if (line[i + 1] < north) north = line[i + 1];
          if (line[i + 1] > south) south = line[i + 1];
        }
      }
      this.west = west; this.north = north; this.east = east; this.south = south;
    }
    touches(box) {
      return this.west <= box.east && this.east >= box.west && this.north <= box.south && this.south >= box.north;
    }
  }

  class Unpacker {
    constructor(file) {
      this.scale = file.scale;
      this.origin = file.origin;
    }
    point(x, y) {
      return [mercatorX((x + this.origin[0]) / this.scale), mercatorY((y + this.origin[1]) / this.scale)];
    }
    line(deltas, close) {
      const points = new Float64Array(deltas.length + (close ? 2 : 0));
      let x = 0, y = 0;
      for (let i = 0; i < deltas.length; i += 2) {
        x += deltas[i];
        y += deltas[i + 1];
        const at = this.point(x, y);
        points[i] = at[0];
        points[i + 1] = at[1];
      }
      if (close) {
        points[deltas.length] = points[0];
        points[deltas.length + 1] = points[1];
      }
      return points;
    }
    rings(rings) {
      return rings.map((ring) => this.line(ring, true));
    }
  }

  class Model {
    constructor(file) {
      this.bounds = file.bounds; // west, south, east, north in degrees
      this.synthetic = file.synthetic;
      this.polygons = [];
      this.roads = [];
      this.rails = [];
      this.streams = [];
      this.points = [];
      this.names = []; // of parks, ponds, areas, compounds: {kind, name, x, y}
      this.buildings = null;
      const unpack = new Unpacker(file);
      for (const [kind, class_, items] of file.layers) {
        if (kind === 'road' || kind === 'rail' || kind === 'waterline') {
          const shapes = items.map(([line, name, width]) => new Shape([unpack.line(line)], name, width || 8));
          const list = { road: this.roads, rail: this.rails, waterline: this.streams }[kind];
          list.push({ class: class_, shapes });
        } else if (kind === 'poi' || kind === 'hill' || kind === 'place') {
          for (const [x, y, name] of items) {
            const at = unpack.point(x, y);
            this.points.push({ kind, class: class_, name, x: at[0], y: at[1] });
          }
        } else {
          const shapes = items.map(([rings, name]) => new Shape(unpack.rings(rings), name));
          this.polygons.push({ kind, class: class_, shapes });
          for (const item of items) {
            if (item.length === 4) this._name(kind, class_, item[1], unpack.point(item[2], item[3]));
          }
        }
      }
      this.compounds = file.compounds.map(([rings, name, x, y]) => {
        this._name('compound', '', name, unpack.point(x, y));
        return new Shape(unpack.rings(rings), name);
      });
      this.borders = {};
      for (const level of Object.keys(file.borders)) {
        this.borders[level] = file.borders[level].map((line) => new Shape([unpack.line(line)]));
      }
      for (const level of Object.keys(file.areas)) {
        for (const [x, y, name] of file.areas[level]) this._name(level, '', name, unpack.point(x, y));
      }
      const middle = (this.bounds[1] + this.bounds[3]) / 2;
      this.pixelsPerMetre = 256 / EARTH / Math.cos((middle * Math.PI) / 180); // at zoom 0
    }

    _name(kind, class_, name, at) {
      this.names.push({ kind, class: class_, name, x: at[0], y: at[1] });
    }

    addBuildings(file) {
      const unpack = new Unpacker(file);
      this.buildings = file.layers.map(([, class_, items]) => ({
        class: class_,
        shapes: items.map(([rings]) => new Shape(unpack.rings(rings))),
      }));
    }

    /** Bounds of the built-up part, [[south, west], [north, east]]: where a map without a place should open. */
    townBounds() {
      let west = 1, north = 1, east = 0, south = 0;
      for (const group of this.roads) {
        if (group.class === 'rural') continue;
        for (const road of group.shapes) {
          west = Math.min(west, road.west); east = Math.max(east, road.east);
          north = Math.min(north, road.north); south = Math.max(south, road.south);
        }
      }
      const [w, s, e, n] = this.bounds;
      if (west > east) return [[s, w], [n, e]];
      const latitude = (y) => (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;
      return [[latitude(south), west * 360 - 180], [latitude(north), east * 360 - 180]];
    }

    contains(latitude, longitude) {
      const x = mercatorX(longitude), y = mercatorY(latitude);
      const ground = this.polygons.find((group) => group.kind === 'background');
      if (!ground) {
        const [w, s, e, n] = this.bounds;
        return longitude >= w && longitude <= e && latitude >= s && latitude <= n;
      }
      return ground.shapes.some((shape) => inside(shape, x, y));
    }

    /** What people would call a place: {compound, poi, road}, each a name or ''. Metres decide what is near. */
    describe(latitude, longitude) {
      const x = mercatorX(longitude), y = mercatorY(latitude);
      const metre = 1 / (EARTH * Math.cos((latitude * Math.PI) / 180));
      const compound = this.compounds.find((shape) => inside(shape, x, y));
      let poi = '', nearest = 120 * metre;
      for (const point of this.points) {
        const distance = Math.hypot(point.x - x, point.y - y);
        if (point.kind === 'poi' && distance < nearest) { nearest = distance; poi = point.name; }
      }
      let road = '', closest = 90 * metre;
      for (const group of this.roads) {
        for (const shape of group.shapes) {
          if (!shape.name || x < shape.west - closest || x > shape.east + closest ||
              y < shape.north - closest || y > shape.south + closest) continue;
          const distance = distanceToLine(shape.lines[0], x, y);
          if (distance < closest) { closest = distance; road = shape.name; }
        }
      }
      return { compound: compound ? compound.name : '', poi, road };
    }
  }

  function inside(shape, x, y) {
    if (x < shape.west || x > shape.east || y < shape.north || y > shape.south) return false;
    let odd = false;
    for (const ring of shape.lines) {
      for (let i = 0; i + 3 < ring.length; i += 2) {
        const ay = ring[i + 1], by = ring[i + 3];
        if ((ay > y) !== (by > y) && x < ((ring[i + 2] - ring[i]) * (y - ay)) / (by - ay) + ring[i]) odd = !odd;
      }
    }
    return odd;
  }

  function distanceToLine(line, x, y) {
    let nearest = Infinity;
    for (let i = 0; i + 3 < line.length; i += 2) {
      const dx = line[i + 2] - line[i], dy = line[i + 3] - line[i + 1];
      const length = dx * dx + dy * dy;
      const t = length ? Math.max(0, Math.min(1, ((x - line[i]) * dx + (y - line[i + 1]) * dy) / length)) : 0;
      nearest = Math.min(nearest, Math.hypot(line[i] + t * dx - x, line[i + 1] + t * dy - y));
    }
    return nearest;
  }

  // ---------------------------------------------------------------- names: who gets a place, once a zoom level

  const step = (table, zoom) => table[Math.max(0, Math.min(table.length - 1, zoom - 12))];

  function roadWidth(model, class_, metres, zoom) {
    const style = ROAD[class_] || ROAD.street;
    return Math.max(step(style.widths, zoom), metres * model.pixelsPerMetre * 2 ** zoom);
  }

  /** Boxes already taken, in cells, so that a test looks at its neighbours only. */
  class Taken {
    constructor() { this.cells = new Map(); }
    *near(box) {
      for (let cx = Math.floor(box.w / 96); cx <= Math.floor(box.e / 96); cx++) {
        for (let cy = Math.floor(box.n / 96); cy <= Math.floor(box.s / 96); cy++) yield cx * 4194304 + cy;
      }
    }
    free(boxes) {
      return boxes.every((box) => {
        for (const key of this.near(box)) {
          for (const other of this.cells.get(key) || []) {
            if (box.w < other.e && box.e > other.w && box.n < other.s && box.s > other.n) return false;
          }
        }
        return true;
      });
    }
    take(boxes) {
      for (const box of boxes) {
        for (const key of this.near(box)) {
          if (!this.cells.has(key)) this.cells.set(key, []);
          this.cells.get(key).push(box);
        }
      }
    }
  }

  const measure = (() => {
    const context = document.createElement('canvas').getContext('2d');
    const known = new Map();
    return (text, font) => {
      const key = font + text;
      if (!known.has(key)) { context.font = font; known.set(key, context.measureText(text).width); }
      return known.get(key);
    };
  })();

  const isHan = (text) => /[\u2e80-\u9fff\uf900-\ufaff]/.test(text);

  class Names {
    constructor(model, zoom, only) {
      this.model = model;
      this.zoom = zoom;
      this.size = 256 * 2 ** zoom;
      this.taken = new Taken();
      this.placed = [];
      this._areas();
      if (only === 'areas') return;
      this._points((point) => point.kind === 'poi' && POI[point.class] && POI[point.class].rank <= 3);
      this._roads('main');
      this._streams();
      this._grounds();
      this._points((point) => point.kind === 'hill' || point.kind === 'place');
      this._roads('rural');
      this._roads('street');
      this._points((point) => point.kind === 'poi' && POI[point.class] && POI[point.class].rank > 3);
      this._compounds();
      this._roads('lane');
      this._communities();
    }

    /** Glyphs: {text, x, y, angle}. Kept when nothing is in their way. */
    _place(glyphs, style, boxes) {
      if (!this.taken.free(boxes)) return false;
      this.taken.take(boxes);
      const label = { glyphs, style, w: Infinity, n: Infinity, e: -Infinity, s: -Infinity };
      for (const box of boxes) {
        label.w = Math.min(label.w, box.w - 4); label.e = Math.max(label.e, box.e + 4);
        label.n = Math.min(label.n, box.n - 4); label.s = Math.max(label.s, box.s + 4);
      }
      this.placed.push(label);
      return true;
    }

    /** Text on a level line, its middle at x, y. */
    _level(name, x, y, style, spacing) {
      const font = `${style.weight || 400} ${style.size}px ${FONT}`;
      const glyphs = [];
      let width;
      if (spacing) {
        const letters = [...name];
        const advance = style.size + spacing;
        width = letters.length * advance - spacing;
        letters.forEach((text, i) => glyphs.push({ text, x: x - width / 2 + i * advance + style.size / 2, y, angle: 0 }));
      } else {
        width = measure(name, font);
        glyphs.push({ text: name, x, y, angle: 0 });
      }
      const box = { w: x - width / 2 - 3, e: x + width / 2 + 3, n: y - style.size * 0.65, s: y + style.size * 0.65 };
      return this._place(glyphs, { ...style, font }, [box]);
    }

    _areas() {
      if (this.zoom < 11 || this.zoom > 16) return;
      const size = this.zoom < 13 ? 13 : this.zoom < 14 ? 15 : 18;
      const style = { size, weight: 700, colour: '#9c2f6b', halo: '#ffffff', haloWidth: 5, alpha: this.zoom > 15 ? 0.55 : 1 };
      for (const area of this.model.names) {
        if (area.kind !== 'area') continue;
        for (const [dx, dy] of [[0, 0], [0, -30], [0, 30], [-60, 0], [60, 0]]) {
          if (this._level(area.name, area.x * this.size + dx, area.y * this.size + dy, style, size * 0.28)) break;
        }
      }
    }

    _communities() {
      if (this.zoom < 15 || this.zoom > 17) return;
      const style = { size: 12, weight: 400, colour: '#6d5fa0', halo: '#ffffff', haloWidth: 3 };
      for (const area of this.model.names) {
        if (area.kind === 'community') this._level(area.name, area.x * this.size, area.y * this.size, style, 2);
      }
    }

    _grounds() {
      const { zoom } = this;
      for (const ground of this.model.names) {
        const isWater = ground.kind === 'water';
        if (!isWater && ground.kind !== 'park') continue;
        if (zoom < (ground.class === 'pocket' || isWater ? 15 : 14)) continue;
        const style = isWater
          ? { size: 11, colour: '#2f6da8', halo: '#dceefb', italic: true }
          : { size: zoom < 16 ? 12 : 13, colour: ground.class === 'square' ? '#2c7a4b' : '#2f7a3a', halo: '#f4faee' };
        this._level(ground.name, ground.x * this.size, ground.y * this.size, style, 0);
      }
    }

    _compounds() {
      if (this.zoom < 15) return;
      const style = { size: this.zoom < 17 ? 11 : 12, colour: '#77543a', halo: '#fdf8f0' };
      for (const compound of this.model.names) {
        if (compound.kind === 'compound') this._level(compound.name, compound.x * this.size, compound.y * this.size, style, 0);
      }
    }

    _points(wanted) {
      for (const point of this.model.points) {
        if (!point.name || !wanted(point)) continue;
        const x = point.x * this.size, y = point.y * this.size;
        if (point.kind === 'place') {
          if (this.zoom >= 12) this._level(point.name, x, y, { size: 12, weight: 400, colour: '#5b5345', halo: '#fffbee' }, 0);
          continue;
        }
        if (point.kind === 'hill') {
          if (this.zoom >= 13) this._beside(point, x, y, { size: 11, colour: '#49643b', halo: '#eaf4e0' }, 7);
          continue;
        }
        const kind = POI[point.class];
        if (this.zoom < kind.from) continue;
        const radius = this.zoom >= 16 && SIGN[point.class] ? 8.5 : 3.6;
        const style = { size: this.zoom < 16 ? 11.5 : 12.5, weight: 500, colour: kind.colour, halo: '#ffffff' };
        this._beside(point, x, y, style, radius + 3, { poi: point.class, colour: kind.colour, radius });
      }
    }

    /** A dot and its name right, left, under or over it. Without room for the name neither is shown. */
    _beside(point, x, y, style, gap, dot) {
      const font = `${style.weight || 400} ${style.size}px ${FONT}`;
      const width = measure(point.name, font), high = style.size;
      const mark = { w: x - gap + 2, e: x + gap - 2, n: y - gap + 2, s: y + gap - 2 };
      const spots = [
        [x + gap + width / 2, y], [x - gap - width / 2, y], [x, y + gap + high * 0.6], [x, y - gap - high * 0.6],
      ];
      for (const [cx, cy] of spots) {
        const box = { w: cx - width / 2 - 2, e: cx + width / 2 + 2, n: cy - high * 0.62, s: cy + high * 0.62 };
        const sign = dot ? { ...dot, x, y } : { hill: true, x, y };
        if (this._place([{ text: point.name, x: cx, y: cy, angle: 0 }], { ...style, font, sign }, [box, mark])) return;
      }
    }

    _roads(class_) {
      const style = ROAD_NAME[class_];
      if (this.zoom < style.from) return;
      const size = step(style.size, this.zoom - 1);
      for (const group of this.model.roads) {
        if (group.class !== class_) continue;
        for (const road of group.shapes) {
          if (road.name) this._along(road, { ...style, size }, size * 1.12, style.every);
        }
      }
    }

    _streams() {
      if (this.zoom < 13) return;
      for (const group of this.model.streams) {
        const size = group.class === 'river' ? 13 + Math.max(0, Math.min(3, this.zoom - 13)) : 11.5;
        const style = { size, colour: '#2f6da8', halo: '#cfe6f8', italic: true };
        for (const stream of group.shapes) {
          if (stream.name) this._along(stream, style, size * (group.class === 'river' ? 1.9 : 1.25), 620);
        }
      }
    }

    /** A name along a line, repeated every so often: turned with it, or stacked upright where the line is steep. */
    _along(shape, style, advance, every) {
      const { size } = this;
      const line = shape.lines[0];
      const count = line.length / 2;
      const lengths = new Float64Array(count);
      for (let i = 1; i < count; i++) {
        lengths[i] = lengths[i - 1] + Math.hypot(line[2 * i] - line[2 * i - 2], line[2 * i + 1] - line[2 * i - 1]) * size;
      }
      const total = lengths[count - 1];
      const upright = isHan(shape.name);
      const letters = upright ? [...shape.name] : [shape.name];
      const font = `${style.italic ? 'italic ' : ''}${style.weight || 400} ${style.size}px ${FONT}`;
      const run = upright ? letters.length * advance : measure(shape.name, font);
      if (total < run * 1.15) return;
      let segment = 1;
      const at = (distance) => {
        while (segment < count - 1 && lengths[segment] < distance) segment++;
        while (segment > 1 && lengths[segment - 1] > distance) segment--;
        const t = (distance - lengths[segment - 1]) / (lengths[segment] - lengths[segment - 1] || 1);
        return [
          (line[2 * segment - 2] + (line[2 * segment] - line[2 * segment - 2]) * t) * size,
          (line[2 * segment - 1] + (line[2 * segment + 1] - line[2 * segment - 1]) * t) * size,
        ];
      };
      const times = Math.max(1, Math.round(total / every));
      const share = total / times;
      for (let time = 0; time < times; time++) {
        for (const shift of [0, 0.12, -0.12, 0.24, -0.24, 0.36, -0.36]) {
          const middle = (time + 0.5 + shift) * share;
          const start = middle - run / 2;
          if (start < 0 || start + run > total) continue;
          if (this._tryAlong(at, start, run, letters, advance, upright, { ...style, font })) break;
        }
      }
    }

    _tryAlong(at, start, run, letters, advance, upright, style) {
      const from = at(start), to = at(start + run);
      const chord = Math.atan2(to[1] - from[1], to[0] - from[0]);
      if (Math.hypot(to[0] - from[0], to[1] - from[1]) < run * 0.93) return false; // too bent to read
      const steep = Math.abs(Math.cos(chord)) < 0.62;
      const stacked = steep && upright;
      const backwards = stacked ? to[1] < from[1] : to[0] < from[0];
      const half = style.size * 0.56;
      const glyphs = [], boxes = [];
      for (let i = 0; i < letters.length; i++) {
        const along = upright ? advance * (i + 0.5) : run / 2;
        const here = backwards ? start + run - along : start + along;
        const [x, y] = at(here);
        let angle = 0;
        if (!stacked) {
          const reach = upright ? advance * 0.7 : run / 2;
          const a = at(Math.max(0, here - reach)), b = at(here + reach);
          angle = Math.atan2(b[1] - a[1], b[0] - a[0]) + (backwards ? Math.PI : 0);
        }
        glyphs.push({ text: letters[i], x, y, angle });
        if (upright) {
          boxes.push({ w: x - half, e: x + half, n: y - half, s: y + half });
        }
      }
      if (!upright) {
        const wide = (Math.abs(Math.cos(chord)) * run) / 2 + half, high = (Math.abs(Math.sin(chord)) * run) / 2 + half;
        boxes.push({ w: glyphs[0].x - wide, e: glyphs[0].x + wide, n: glyphs[0].y - high, s: glyphs[0].y + high });
      }
      return this._place(glyphs, style, boxes);
    }
  }

  // ---------------------------------------------------------------- drawing one tile

  class Painter {
    constructor(model, context, zoom, left, top, size, overlay) {
      this.model = model;
      this.context = context;
      this.zoom = zoom;
      this.world = 256 * 2 ** zoom;
      this.left = left;
      this.top = top;
      this.size = size;
      this.overlay = overlay;
      const margin = 60; // half the widest road, so that one just outside still shows its edge
      this.box = {
        west: (left - margin) / this.world, east: (left + size + margin) / this.world,
        north: (top - margin) / this.world, south: (top + size + margin) / this.world,
      };
    }

    paint(names) {
      const { context, size, zoom } = this;
      context.lineJoin = 'round';
      if (!this.overlay) {
        context.fillStyle = OUTSIDE;
        context.fillRect(0, 0, size, size);
        this._polygons();
        this._streams();
        if (zoom >= 14) this._compounds();
        if (zoom >= 14 && this.model.buildings) this._buildings();
        this._roads();
        this._rails();
      }
      this._borders();
      this._names(names);
    }

    _trace(line) {
      const { context, world, left, top } = this;
      context.moveTo(line[0] * world - left, line[1] * world - top);
      for (let i = 2; i < line.length; i += 2) context.lineTo(line[i] * world - left, line[i + 1] * world - top);
    }

    _visible(shapes) { return shapes.filter((shape) => shape.touches(this.box)); }

    _fill(shape) {
      this.context.beginPath();
      for (const ring of shape.lines) this._trace(ring);
      this.context.fill('evenodd');
    }

    _stroke(shapes, colour, width, dash) {
      const { context } = this;
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.setLineDash(dash || []);
      context.beginPath();
      for (const shape of shapes) for (const line of shape.lines) this._trace(line);
      context.stroke();
      context.setLineDash([]);
    }

    /** The town's own ground under its blocks, so that no forest shows between a block and its street. */
    _town() {
      const width = Math.max(1.5, 52 * this.model.pixelsPerMetre * 2 ** this.zoom);
      for (const group of this.model.polygons) {
        if ((group.kind === 'landuse' && BUILT.has(group.class)) || group.class === 'square') this._stroke(this._visible(group.shapes), TOWN, width);
      }
    }

    _polygons() {
      const { context, zoom } = this;
      let town = false;
      for (const group of this.model.polygons) {
        if (group.kind === 'landuse' && !town) { town = true; this._town(); }
        const shapes = this._visible(group.shapes);
        if (!shapes.length) continue;
        const key = `${group.kind}:${group.class}`;
        if (group.kind === 'protection') {
          this._stroke(shapes, '#4f8fc0', 1.2, [2, 4]);
          continue;
        }
        context.fillStyle = FILL[key] || FILL[group.kind] || FILL.landuse;
        for (const shape of shapes) this._fill(shape);
        const edge = EDGE[key] || EDGE[group.kind];
        if (edge && zoom >= 13) this._stroke(shapes, edge, zoom >= 16 ? 1.2 : 0.8);
      }
    }

    _streams() {
      const { zoom } = this;
      for (const group of this.model.streams) {
        for (const shape of this._visible(group.shapes)) {
          const wide = shape.extra * this.model.pixelsPerMetre * 2 ** zoom;
          if (wide < 2.4) this._stroke([shape], FILL.water, 2.4);
        }
      }
    }

    _compounds() {
      const shapes = this._visible(this.model.compounds);
      if (this.zoom >= 15 && shapes.length) this._stroke(shapes, '#dcc7ae', this.zoom >= 17 ? 1.5 : 1, [5, 3]);
    }

    _buildings() {
      const { context, zoom } = this;
      for (const group of this.model.buildings) {
        const shapes = this._visible(group.shapes);
        if (!shapes.length) continue;
        const [fill, edge] = BUILDING[group.class] || BUILDING.house;
        if (zoom >= 17) { // a hint of height
          context.save();
          const throwing = group.class === 'tower' ? 4 : group.class === 'house' ? 1.5 : 2.5;
          context.translate(throwing, throwing);
          context.fillStyle = 'rgba(90, 70, 50, .16)';
          for (const shape of shapes) this._fill(shape);
          context.restore();
        }
        context.fillStyle = fill;
        for (const shape of shapes) this._fill(shape);
        if (zoom >= 16) this._stroke(shapes, edge, 0.9);
      }
    }

    /** All edges under all surfaces, so that crossings run into one another. */
    _roads() {
      const { context, zoom } = this;
      context.lineCap = 'round';
      const groups = this.model.roads
        .map((group) => ({ style: ROAD[group.class] || ROAD.street, class: group.class, shapes: this._visible(group.shapes) }))
        .filter((group) => group.shapes.length && zoom >= group.style.from);
      for (const surface of [false, true]) {
        for (const { style, class: class_, shapes } of groups) {
          const byWidth = new Map();
          for (const shape of shapes) {
            const width = roadWidth(this.model, class_, shape.extra, zoom);
            if (!byWidth.has(width)) byWidth.set(width, []);
            byWidth.get(width).push(shape);
          }
          for (const [width, same] of byWidth) {
            if (!width) continue;
            const rim = width < 3 ? style.rim * 0.6 : style.rim;
            if (surface) this._stroke(same, style.fill, Math.max(0.6, width - 2 * rim));
            else this._stroke(same, style.casing, width + (width < 3 ? 0.4 : 0));
          }
        }
      }
      const main = groups.find((group) => group.class === 'main');
      if (main && zoom >= 17) {
        context.lineCap = 'butt';
        this._stroke(main.shapes, 'rgba(255, 255, 255, .9)', zoom >= 18 ? 1.6 : 1.1, [10, 9]);
      }
      context.lineCap = 'butt';
    }

    _rails() {
      const { context, zoom } = this;
      context.lineCap = 'butt';
      for (const group of this.model.rails) {
        const shapes = this._visible(group.shapes);
        if (!shapes.length || (group.class === 'siding' && zoom < 14)) continue;
        const main = group.class === 'main';
        const width = main ? (zoom < 13 ? 2.6 : zoom < 15 ? 3.8 : zoom < 17 ? 5 : 6.5) : zoom < 16 ? 1.6 : 2.6;
        this._stroke(shapes, main ? '#66615f' : '#97918d', width);
        this._stroke(shapes, '#ffffff', Math.max(0.8, width - 2.2), main ? [9, 9] : [5, 5]);
      }
    }

    _borders() {
      const { context, zoom } = this;
      context.lineCap = 'butt';
      const { area, community } = this.model.borders;
      if (community && zoom >= 14) {
        this._stroke(this._visible(community), 'rgba(122, 104, 176, .75)', zoom >= 16 ? 1.3 : 1, [6, 5]);
      }
      if (area && zoom >= 11) {
        const shapes = this._visible(area);
        if (zoom >= 13) this._stroke(shapes, 'rgba(255, 255, 255, .35)', zoom >= 15 ? 4.5 : 3.4);
        this._stroke(shapes, zoom < 13 ? 'rgba(163, 45, 108, .6)' : 'rgba(163, 45, 108, .8)', zoom < 13 ? 1 : zoom >= 15 ? 2.2 : 1.6, [10, 4, 2.5, 4]);
      }
    }

    _names(names) {
      const { context, left, top, size } = this;
      context.textAlign = 'center';
      context.textBaseline = 'middle';
      for (const label of names.placed) {
        if (label.w > left + size || label.e < left || label.n > top + size || label.s < top) continue;
        const { style } = label;
        context.globalAlpha = style.alpha || 1;
        if (style.sign) this._sign(style.sign);
        context.font = style.font;
        context.strokeStyle = style.halo;
        context.lineWidth = style.haloWidth || 3.4;
        context.fillStyle = style.colour;
        for (const stroke of [true, false]) {
          for (const glyph of label.glyphs) {
            const x = glyph.x - left, y = glyph.y - top;
            if (glyph.angle) {
              context.save();
              context.translate(x, y);
              context.rotate(glyph.angle);
              if (stroke) context.strokeText(glyph.text, 0, 0); else context.fillText(glyph.text, 0, 0);
              context.restore();
            } else if (stroke) context.strokeText(glyph.text, x, y); else context.fillText(glyph.text, x, y);
          }
        }
        context.globalAlpha = 1;
      }
    }

    _sign(sign) {
      const { context } = this;
      const x = sign.x - this.left, y = sign.y - this.top;
      if (sign.hill) {
        context.fillStyle = '#5c7d49';
        context.beginPath();
        context.moveTo(x, y - 5);
        context.lineTo(x + 5, y + 4);
        context.lineTo(x - 5, y + 4);
        context.fill();
        return;
      }
      context.beginPath();
      context.arc(x, y, sign.radius, 0, 2 * Math.PI);
      context.fillStyle = sign.colour;
      context.strokeStyle = '#ffffff';
      context.lineWidth = 1.6;
      context.fill();
      context.stroke();
      if (sign.radius > 6 && SIGN[sign.poi]) {
        context.save();
        context.translate(x - 5.4, y - 5.4);
        context.scale(0.45, 0.45);
        context.lineWidth = 2.6;
        context.lineCap = 'round';
        context.stroke(new Path2D(SIGN[sign.poi]));
        context.restore();
      }
    }
  }

  // ---------------------------------------------------------------- the Leaflet layer

  const BUDGET = 9; // milliseconds of drawing a frame, so that a finger is never held up

  const Layer = L.GridLayer.extend({
    options: { overlay: false, updateWhenZooming: false, keepBuffer: 1, minZoom: 9, maxZoom: 19 },

    initialize(model, options) {
      this._model = model;
      this._byZoom = new Map();
      this._waiting = [];
      L.setOptions(this, options);
    },

    createTile(coords, done) {
      const size = this.getTileSize().x;
      const ratio = Math.min(2, global.devicePixelRatio || 1);
      const tile = document.createElement('canvas');
      tile.width = tile.height = size * ratio;
      tile.setAttribute('aria-hidden', 'true');
      this._waiting.push({ tile, coords, ratio, size, done });
      this._work();
      return tile;
    },

    /** Draw again what is on show, in place: the buildings have come. */
    refresh() {
      for (const key of Object.keys(this._tiles)) {
        const { el, coords } = this._tiles[key];
        const size = this.getTileSize().x;
        this._waiting.push({ tile: el, coords, ratio: el.width / size, size, done: null });
      }
      this._work();
    },

    _work() {
      if (this._busy) return;
      this._busy = true;
      const run = () => {
        const until = performance.now() + BUDGET;
        do {
          const next = this._next();
          if (!next) { this._busy = false; return; }
          this._paint(next);
          if (next.done) next.done(null, next.tile);
        } while (performance.now() < until);
        global.requestAnimationFrame(run);
      };
      global.requestAnimationFrame(run);
    },

    /** What to draw next: tiles of the zoom on show first; those that Leaflet has thrown away never. */
    _next() {
      this._waiting = this._waiting.filter(({ tile, coords }) => {
        const kept = this._map && this._tiles[this._tileCoordsToKey(coords)];
        return kept && kept.el === tile;
      });
      const first = this._waiting.findIndex(({ coords }) => coords.z === this._tileZoom);
      return this._waiting.splice(Math.max(0, first), 1)[0];
    },

    _paint({ tile, coords, ratio, size }) {
      const context = tile.getContext('2d', { alpha: this.options.overlay });
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      if (this.options.overlay) context.clearRect(0, 0, size, size);
      const painter = new Painter(this._model, context, coords.z, coords.x * size, coords.y * size, size, this.options.overlay);
      painter.paint(this._names(coords.z));
    },

    _names(zoom) {
      if (!this._byZoom.has(zoom)) {
        this._byZoom.set(zoom, new Names(this._model, zoom, this.options.overlay ? 'areas' : ''));
      }
      return this._byZoom.get(zoom);
    },
  });

  global.DistrictBase = { Model, Layer };
})(window);
